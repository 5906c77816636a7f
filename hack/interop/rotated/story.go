package rotated

import (
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/token"
)

// Verifier is foreign software that verifies tokens: it returns the subject, or says why not.
type Verifier interface {
	Verify(token string) (subject string, refusal error)
}

// Promises are what a verifier does beyond the signature. Each false one is written in its page of the documentation.
type Promises struct {
	ChecksType      bool // refuses a token that is signed for something else: an ID token, for example
	KeepsTheLastSet bool // goes on with the last good set when the file is broken
	EndsEarly       bool // refuses what the revocation list names
	// Reload is how long a change of the file may take until it is followed.
	Reload time.Duration
}

// Tell takes a verifier through the life of some keys: what is signed within policy it must accept at every moment, and
// what is not it must refuse.
func (w *World) Tell(t *testing.T, v Verifier, promises Promises) {
	t.Helper()
	s := &story{t: t, v: v, reload: promises.Reload + 8*time.Second}
	first := w.Token()
	s.accepts("the first key", first)
	w.refusals(s, promises)

	retired := w.Rotate()
	second := w.Token()
	s.accepts("the next key, at once: it was published before it signed", second)
	s.accepts("the retired key's token", first)

	if promises.EndsEarly {
		w.endings(s, promises)
	}

	w.Forget(retired)
	s.refuses("the token of a key that is gone", first)
	s.accepts("the next key still", second)

	w.Revoke(w.KeyID())
	s.refuses("the token of a revoked key", second)
	third := w.Token()
	s.accepts("the key that was promoted", third)

	if promises.KeepsTheLastSet {
		good := w.JWKS()
		w.Volume.Write(good[:len(good)/2])
		s.stays("with half a file", third, promises.Reload)
		w.Volume.Write(good)
	}
	w.Rotate()
	last := w.Token()
	s.accepts("a rotation later", last)
	s.refuses("the revoked key's token still", second)

	w.Delete()
	s.refuses("every token, once all trust is taken away by a tombstone", last)
}

// endings are tokens that end early, and such that do not.
func (w *World) endings(s *story, promises Promises) {
	s.t.Helper()
	now := time.Now()
	aged := func(change func(*token.Claims)) string {
		return w.Token(func(c *token.Claims) {
			c.IssuedAt = now.Add(-3 * time.Minute)
			change(c)
		})
	}
	one, other := w.Token(func(c *token.Claims) { c.ID = "one" }), w.Token(func(c *token.Claims) { c.ID = "other" })
	byOther := aged(func(c *token.Claims) { c.ClientID = "other" })
	byWeb := aged(func(*token.Claims) {})
	oldLogin := w.Token(func(c *token.Claims) { c.AuthenticatedAt = now.Add(-3 * time.Minute) })
	for name, good := range map[string]string{"one": one, "other": other, "byOther": byOther, "byWeb": byWeb, "oldLogin": oldLogin} {
		s.accepts(name, good)
	}
	w.End(issuerfiles.ClaimTokenID, "one", now.Add(24*time.Hour))
	s.refuses("a token that ended", one)
	s.accepts("another token", other)
	w.End(issuerfiles.ClaimClientID, "other", now.Add(-2*time.Minute))
	s.refuses("a token of a client whose tokens ended", byOther)
	s.accepts("a token of another client", byWeb)
	w.End(issuerfiles.ClaimSubject, Subject, now.Add(-2*time.Minute))
	s.refuses("a token of a subject whose tokens ended", byWeb)
	s.refuses("a new token of an old login", oldLogin)
	s.accepts("a token that was issued later", other)
	if promises.KeepsTheLastSet {
		good := w.Volume.list
		w.Volume.list = good[:len(good)/2]
		w.Volume.Write(w.JWKS())
		s.stays("with half a list", other, promises.Reload)
		s.refuses("with half a list", one)
		w.Volume.list = good
		w.Volume.Write(w.JWKS())
	}
}

// refusals are tokens that nobody may accept.
func (w *World) refusals(s *story, promises Promises) {
	s.t.Helper()
	good := w.Token()
	parts := segments(good)
	s.refuses("no signature", parts[0]+"."+parts[1]+".")
	s.refuses("alg none", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0."+parts[1]+".")
	s.refuses("a forged signature", w.Forged())
	s.refuses("another audience", w.Token(func(c *token.Claims) { c.Audience = []string{"https://billing.example.com"} }))
	s.refuses("another issuer", w.Token(func(c *token.Claims) { c.Issuer = "https://attacker.example.com" }))
	s.refuses("an expired token", w.Token(func(c *token.Claims) { c.IssuedAt = c.IssuedAt.Add(-time.Hour) }))
	s.refuses("garbage", "x.y.z")
	for name, token := range w.hostile() {
		s.refuses(name, token)
	}
	other := w.Typed("JWT")
	if promises.ChecksType {
		s.refuses("another type", other)
	} else {
		s.accepts("another type, which its page says it does not check", other)
	}
}

// story is one verifier on its way.
type story struct {
	t      *testing.T
	v      Verifier
	reload time.Duration
}

func (s *story) accepts(name, token string) {
	s.t.Helper()
	s.until(name, token, true)
}

func (s *story) refuses(name, token string) {
	s.t.Helper()
	s.until(name, token, false)
}

// until asks again until the verifier has followed the file, but gives it no more time than it may take.
func (s *story) until(name, token string, accepted bool) {
	s.t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(s.reload); ; <-ticker.C {
		subject, err := s.v.Verify(token)
		if accepted && err == nil && subject == Subject || !accepted && err != nil {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: accepted should be %v, but the answer is subject %q, refusal %v", name, accepted, subject, err)
		}
	}
}

// stays asks for as long as the verifier needs to follow the file, and a little longer.
func (s *story) stays(name, token string, reload time.Duration) {
	s.t.Helper()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(reload + time.Second); time.Now().Before(deadline); <-ticker.C {
		if subject, err := s.v.Verify(token); err != nil || subject != Subject {
			s.t.Fatalf("%s: subject %q, refusal %v", name, subject, err)
		}
	}
}

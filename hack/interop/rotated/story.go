package rotated

import (
	"testing"
	"time"

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

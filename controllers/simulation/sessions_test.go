package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/issuer/session"
)

// sealed is a refresh token.
type sealed struct {
	number    int64
	compact   string
	at, until time.Time
}

// sessions has the facts of refresh tokens: every issuer can open a token that another one sealed until it expires,
// even if its files lag.
type sessions struct {
	w      *world
	tokens []*sealed
	// logins are the sessions so far.
	logins []login
	// dropped are the sealing keys that were removed by a revocation.
	dropped map[int64]bool
	// loose is set if a user edited a Secret or deleted the SigningKey. Its sealing keys may then be lost.
	loose bool
}

// login is the beginning of a session.
type login struct {
	id    string
	began time.Time
}

// maxSession is the longest session lifetime that users set.
const maxSession = 24 * time.Hour

// of returns the session of the nth token. Half of the tokens have none, and one in ten of the others begins one.
func (s *sessions) of(n int, clock time.Time) login {
	if n%2 == 0 {
		return login{}
	}
	last := len(s.logins) - 1
	if last < 0 || n%20 == 1 || clock.Sub(s.logins[last].began) >= maxSession {
		s.logins = append(s.logins, login{id: fmt.Sprintf("session-%d", last+1), began: time.Unix(clock.Unix(), 0)})
		last++
	}
	return s.logins[last]
}

// seal issues a refresh token, as an issuer does at a login.
func (s *sessions) seal(p *pod) {
	key, ok := p.snapshot.Sealing.InUse()
	if !ok || p.snapshot.MaxRefreshLifetime == 0 || s.loose || p.stale || s.dropped[key.Number] {
		return
	}
	if !slices.ContainsFunc(s.w.facts.ring.Sealing, func(k rotation.SealingKey) bool { return k.Number == key.Number }) {
		s.w.violate("sessions: %s seals with key %d, which is gone", p, key.Number)
		return
	}
	until := s.w.now.Add(p.snapshot.MaxRefreshLifetime)
	compact, err := session.Seal(key, session.Session{ID: "s", Subject: "alice", Expiry: until})
	must(err)
	t := &sealed{number: key.Number, compact: compact, at: s.w.now, until: until}
	s.tokens = slices.DeleteFunc(s.tokens, func(o *sealed) bool {
		return !o.until.After(s.w.now) || o.number == t.number && !o.until.After(t.until)
	})
	s.tokens = append(s.tokens, t)
	for _, other := range s.w.pods.all {
		s.mustOpen(other, t)
	}
}

// mustOpen checks that an issuer opens a refresh token.
func (s *sessions) mustOpen(p *pod, t *sealed) {
	if !p.issuer || p.stale || p.snapshot == nil || p.snapshot.MaxRefreshLifetime == 0 || s.loose || s.dropped[t.number] || !t.until.After(s.w.now) {
		return
	}
	_, err := session.Open(p.snapshot.Sealing, t.compact)
	if errors.Is(err, session.ErrNewerKey) && s.atOnce(t.number) {
		return // the issuer responds with 503
	}
	if err != nil {
		s.w.violate("sessions: %s cannot open a refresh token of key %d that was sealed at %s: %v", p, t.number, t.at.Sub(s.w.now), err)
	}
}

// atOnce reports whether a key was used as soon as it was created: the first one, and the one after a revocation.
func (s *sessions) atOnce(number int64) bool {
	return slices.ContainsFunc(s.w.facts.ring.Sealing, func(k rotation.SealingKey) bool {
		return k.Number == number && k.UsedAt.Equal(k.PreparedAt)
	})
}

// reread checks an issuer after it has read its files.
func (s *sessions) reread(p *pod) {
	for _, t := range s.tokens {
		s.mustOpen(p, t)
	}
}

// keyringChanged checks the sealing keys that a controller removed from a keyring.
func (s *sessions) keyringChanged(was, is *rotation.Keyring) {
	if s.w.writer == nil {
		s.loose = true
		return
	}
	for i := range was.Sealing {
		number := was.Sealing[i].Number
		if slices.ContainsFunc(is.Sealing, func(k rotation.SealingKey) bool { return k.Number == number }) {
			continue
		}
		if len(is.Revoked) > len(was.Revoked) {
			s.dropped[number] = true
		}
		live := func(t *sealed) bool { return t.number == number && t.until.After(s.w.now) }
		if !s.loose && !s.dropped[number] && slices.ContainsFunc(s.tokens, live) {
			s.w.violate("sessions: key %d leaves the keyring before its last token has expired", number)
		}
	}
}

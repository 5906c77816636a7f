package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/api/contract"
)

// A session goes on: its tokens carry the time of the login and one sid, and what is narrowed is narrowed once.
func TestSessionContinues(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	first := s.logInWith("spa", proving(p.proof()))
	s.want("login", first, http.StatusOK, "")
	if first.fields["token_type"] != "Bearer" || len(refreshToken(first)) > 2048 || strings.Count(refreshToken(first), ".") != 4 {
		t.Fatalf("%s", first.body)
	}
	began := s.claims(first, audience)
	if began.Sid == "" || began.Auth == 0 || began.Scope != "read write" || len(began.Aud) != 2 {
		t.Errorf("%+v", began)
	}
	again := s.refreshWith("spa", refreshToken(first), proving(p.proof()))
	s.want("refresh", again, http.StatusOK, "")
	if got := s.claims(again, audience); got.Sid != began.Sid || got.Auth != began.Auth || got.Sub != "8a2f" || !slices.Equal(got.Aud, began.Aud) || got.Scope != began.Scope {
		t.Errorf("%+v after %+v", got, began)
	}
	narrow := s.post(form("grant_type", "refresh_token", "client_id", "spa", "refresh_token", refreshToken(again), "scope", "read", "resource", "https://orders.example.com"), proving(p.proof()))
	s.want("a narrower refresh", narrow, http.StatusOK, "")
	if got := s.claims(narrow, "https://orders.example.com"); got.Scope != "read" || len(got.Aud) != 1 {
		t.Errorf("narrow: %+v", got)
	}
	whole := s.refreshWith("spa", refreshToken(narrow), proving(p.proof()))
	if got := s.claims(whole, audience); got.Scope != "read write" || len(got.Aud) != 2 {
		t.Errorf("whole again: %+v", got)
	}
	if line := lastLine(s.audit.String()); !strings.Contains(line, `"sid":"`+began.Sid+`"`) || strings.Contains(s.audit.String()+s.log.String(), refreshToken(first)) {
		t.Errorf("the audit log has %s", line)
	}
	backend := s.logInWith("backend")
	s.want("a client that authenticates", s.refreshWith("backend", refreshToken(backend)), http.StatusOK, "")
}

// A login that was narrowed begins a session that never has more.
func TestSessionHasNoMoreThanItsLogin(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	narrow := s.post(form("grant_type", "password", "client_id", "spa", "username", "alice", "password", password, "scope", "read", "resource", audience), proving(p.proof()))
	s.want("login", narrow, http.StatusOK, "")
	for what, c := range map[string]struct{ name, value, code string }{
		"another scope":    {"scope", "write", "invalid_scope"},
		"another resource": {"resource", "https://orders.example.com", "invalid_target"},
	} {
		s.want(what, s.post(form("grant_type", "refresh_token", "client_id", "spa", "refresh_token", refreshToken(narrow), c.name, c.value), proving(p.proof())), 400, c.code)
	}
	if got := s.claims(s.refreshWith("spa", refreshToken(narrow), proving(p.proof())), audience); got.Scope != "read" || len(got.Aud) != 1 {
		t.Errorf("%+v", got)
	}
}

// Replicas share nothing and their files lag: what is sealed with a key that is not there yet waits, and with one that is gone ends.
func TestSealingKeysOfReplicas(t *testing.T) {
	t.Parallel()
	a, b := newSessions(t), prepareSessions(t)
	b.key, b.sealing = a.key, slices.Clone(a.sealing)
	b.mount()
	b.start()
	old := refreshToken(a.logInWith("backend"))
	a.sealing = append(a.sealing, sealingKey(200, true))
	a.mount()
	var token string
	a.until("the next key to be used", func() bool {
		token = refreshToken(a.refreshWith("backend", old))
		return b.refreshWith("backend", token).status == http.StatusServiceUnavailable
	})
	if r := b.refreshWith("backend", token); r.header.Get("Retry-After") == "" {
		t.Errorf("a replica that lags: %d %s", r.status, r.body)
	}
	b.sealing = a.sealing
	b.mount()
	b.until("the key to arrive", func() bool { return b.refreshWith("backend", token).status == http.StatusOK })
	b.sealing = b.sealing[1:]
	b.mount()
	b.until("the old key to go", func() bool { return b.refreshWith("backend", old).status == http.StatusBadRequest })
	b.want("the newer one", b.refreshWith("backend", token), 200, "")
	if files := a.keys.files; strings.Contains(a.log.String()+a.audit.String(), files[contract.SealingFile][40:80]) {
		t.Error("a secret is in a log")
	}
}

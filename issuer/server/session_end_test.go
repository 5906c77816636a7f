package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/login"
)

// The user is looked up at each refresh.
func TestRefreshReadsTheCurrentUser(t *testing.T) {
	t.Parallel()
	line := fmt.Sprintf("  passwordHash: %q\n", aliceHash)
	for what, c := range map[string]struct {
		from, to string
		status   int
	}{
		"nothing":          {"", "", 200},
		"disabled":         {"subject: 8a2f\n", "subject: 8a2f\n  disabled: true\n", 400},
		"another password": {"subject: 8a2f\n" + line, "subject: 8a2f\n" + strings.Replace(line, aliceHash, login.HashPassword("another password"), 1), 400},
		"renamed":          {"name: alice", "name: alicia", 400},
		"another person":   {"subject: 8a2f", "subject: 1111", 400},
		"deleted":          {"name: alice\n  subject: 8a2f", "name: dave\n  subject: dddd", 400},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newSessions(t)
			token := refreshToken(s.logInWith("backend"))
			s.users.write(map[string]string{"users.yaml": strings.Replace(usersFile(marker), c.from, c.to, 1)})
			s.until("the list to be read", func() bool {
				return s.post(form("grant_type", "password", "client_id", "web", "username", "marker", "password", password)).status == 200
			})
			r := s.refreshWith("backend", token)
			if r.status != c.status || c.status == 400 && r.fields["error"] != "invalid_grant" {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	s := newSessions(t)
	token := refreshToken(s.logInWith("backend"))
	s.users.write(map[string]string{"users.yaml": strings.Replace(usersFile(""), "  claims: {email: alice@example.com, groups: [staff],", "  scopes: [read]\n  claims: {email: alice@example.com, groups: [former],", 1)})
	s.until("fewer rights", func() bool {
		got := s.claims(s.refreshWith("backend", token), audience)
		return got.Scope == "read" && slices.Equal(got.Groups, []string{"former"})
	})
}

var marker = fmt.Sprintf(`- name: marker
  subject: mmmm
  passwordHash: %q
`, aliceHash)

// Revocations end sessions, also at a refresh of a later second.
func TestRevocationEndsSessions(t *testing.T) {
	t.Parallel()
	for what, digest := range map[string]func(sessionClaims) (claim, value string){
		"the session": func(c sessionClaims) (string, string) { return "sid", c.Sid },
		"the subject": func(c sessionClaims) (string, string) { return "sub", c.Sub },
		"the client":  func(sessionClaims) (string, string) { return "client_id", "backend" },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newSessions(t)
			one, other := s.logInWith("backend"), s.logInWith("backend")
			claim, value := digest(s.claims(one, audience))
			s.revoked = s.revoked.With(issuerfiles.Digest(claim, value), time.Now().Add(time.Second))
			s.mount()
			s.until("the list to be read", func() bool { return s.refreshWith("backend", refreshToken(one)).status == 400 })
			s.want("ended", s.refreshWith("backend", refreshToken(one)), 400, "invalid_grant")
			want := 400
			if claim == "sid" {
				want = 200
			}
			if r := s.refreshWith("backend", refreshToken(other)); r.status != want {
				t.Errorf("another session: %d %s", r.status, r.body)
			}
		})
	}
}

// What the SigningKey cuts is said in the log: else nobody knows why sessions are short, or why there are none.
func TestShorterSessionsAreSaid(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refresh, session time.Duration
		says             string
	}{
		"allowed": {12 * time.Hour, 720 * time.Hour, ""},
		"shorter": {30 * time.Minute, time.Hour, "spec.sessions of the SigningKey apply"},
		"none":    {0, 0, "Set spec.sessions, or remove refresh"},
	} {
		s := prepareSessions(t)
		s.refresh, s.session = c.refresh, c.session
		s.mount()
		s.start()
		said := s.log.String()
		if c.says == "" && strings.Contains(said, "spec.sessions") || !strings.Contains(said, c.says) {
			t.Errorf("%s: %s", name, said)
		}
	}
}

// Sessions have an end, and each token of them one before.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		ahead            time.Duration
		refresh, session time.Duration
		status           int
	}{
		"at once":                              {0, 12 * time.Hour, 720 * time.Hour, 200},
		"before the refresh token expires":     {59 * time.Minute, 12 * time.Hour, 720 * time.Hour, 200},
		"after it":                             {61 * time.Minute, 12 * time.Hour, 720 * time.Hour, 400},
		"after the lifetime of the SigningKey": {31 * time.Minute, 30 * time.Minute, 720 * time.Hour, 400},
		"after the longest session":            {21 * time.Minute, 12 * time.Hour, 20 * time.Minute, 400},
		"without sessions":                     {0, 0, 0, 400},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := prepareSessions(t)
			if c.refresh > 0 {
				s.refresh, s.session = c.refresh, c.session
				s.mount()
			}
			s.start()
			token := refreshToken(s.logInWith("backend"))
			later := prepareSessions(t)
			later.key, later.sealing, later.ahead, later.refresh, later.session = s.key, s.sealing, c.ahead, c.refresh, c.session
			later.mount()
			later.start()
			if r := later.refreshWith("backend", token); r.status != c.status {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
	// The end of a session is that of its login, or an earlier one that the SigningKey has now.
	for what, c := range map[string]struct{ then, now time.Duration }{"raised": {20 * time.Minute, 720 * time.Hour}, "lowered": {720 * time.Hour, 20 * time.Minute}} {
		s, later := prepareSessions(t), prepareSessions(t)
		s.session, later.session = c.then, c.now
		later.key, later.sealing, later.ahead = s.key, s.sealing, 21*time.Minute
		s.mount()
		s.start()
		later.mount()
		later.start()
		later.want(what, later.refreshWith("backend", refreshToken(s.logInWith("backend"))), 400, "invalid_grant")
	}
	// However often it is refreshed, a session does not outlive its end.
	first := newSessions(t)
	token := refreshToken(first.logInWith("backend"))
	for _, step := range []struct {
		ahead  time.Duration
		status int
	}{{50 * time.Minute, 200}, {100 * time.Minute, 200}, {119 * time.Minute, 200}, {121 * time.Minute, 400}} {
		s := prepareSessions(t)
		s.key, s.sealing, s.ahead = first.key, first.sealing, step.ahead
		s.mount()
		s.start()
		r := s.refreshWith("backend", token)
		if r.status != step.status {
			t.Errorf("after %v: %d %s", step.ahead, r.status, r.body)
		}
		token = refreshToken(r)
	}
}

// What the configuration and the SigningKey ask for now counts, and not what they asked for at the login.
func TestSessionsHeedTheirSettings(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*sessions){
		"the client must hold a key now": func(s *sessions) {
			s.reconfigure("refresh: {lifetime: 1h, sessionLifetime: 2h}}", "refresh: {dpop: true}}")
		},
		"other audiences": func(s *sessions) {
			s.reconfigure("audiences: ["+audience+"]\n", "audiences: [https://other.example.com]\n")
		},
		"the SigningKey has no sessions": func(s *sessions) { s.sealing, s.refresh, s.session = nil, 0, 0; s.mount() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newSessions(t)
			token := refreshToken(s.logInWith("backend"))
			s.want("before", s.refreshWith("backend", token), 200, "")
			change(s)
			s.until("the change to be read", func() bool { return s.refreshWith("backend", token).status != http.StatusOK })
			s.want("after", s.refreshWith("backend", token), 400, "invalid_grant")
		})
	}
}

// reconfigure replaces a part of the configuration.
func (s *sessions) reconfigure(from, to string) {
	s.Helper()
	text := s.settings.files["issuer.yaml"]
	if !strings.Contains(text, from) {
		s.Fatalf("the configuration has no %s", from)
	}
	s.settings.write(map[string]string{"issuer.yaml": strings.Replace(text, from, to, 1)})
}

package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/login"
)

// sessionsConfig are clients that stay logged in.
func sessionsConfig() string {
	return fmt.Sprintf(`- {id: spa, public: true, grantTypes: [password], audiences: [%[1]s, https://orders.example.com], refresh: {lifetime: 1h, sessionLifetime: 2h, dpop: true}}
- {id: backend, secretSHA256: %[2]s, grantTypes: [password], refresh: {lifetime: 1h, sessionLifetime: 2h}}
- {id: careful, public: true, grantTypes: [password], refresh: {dpop: true}, dpopRequireNonce: true}
- {id: bound, public: true, grantTypes: [password], refresh: {dpop: true}, dpopBoundAccessTokens: true}
`, audience, fmt.Sprintf("%x", sha256.Sum256([]byte(secret))))
}

func sealingKey(number int64, used bool) issuerfiles.SealingKey {
	k := issuerfiles.SealingKey{Number: number, Secret: make([]byte, issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(number, 0), MaxRefreshLifetime: 12 * time.Hour}
	_, _ = rand.Read(k.Secret)
	if used {
		k.UsedAt = k.PreparedAt
	}
	return k
}

// sessions are the files of a SigningKey with sessions, as its controller writes them.
type sessions struct {
	*world
	key     crypto.Signer
	sealing issuerfiles.SealingKeys
	revoked issuerfiles.Revoked
	// refresh and session bound the lifetimes.
	refresh, session time.Duration
}

func prepareSessions(t *testing.T) *sessions {
	t.Helper()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + sessionsConfig()})
	s := &sessions{world: w, key: newKey(t), sealing: issuerfiles.SealingKeys{sealingKey(100, true)}, refresh: 12 * time.Hour, session: 720 * time.Hour}
	s.revoked.ClockSkew = time.Minute
	s.mount()
	return s
}

func newSessions(t *testing.T) *sessions {
	t.Helper()
	s := prepareSessions(t)
	s.start()
	return s
}

func (s *sessions) mount() {
	s.Helper()
	base, err := issuerfiles.Decode(asBytes(keyFiles(s.T, "ES256", s.key)))
	s.must(err)
	s.jwks = string(base.KeySet)
	base.Sealing, base.Revoked = s.sealing, s.revoked
	base.Policy.MaxRefreshLifetime, base.Policy.MaxSessionLifetime = s.refresh, s.session
	s.keys.write(mounted(s.T, base))
}

func asBytes(files map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for name, text := range files {
		out[name] = []byte(text)
	}
	return out
}

// prover is a client that holds a key.
type prover struct {
	*testing.T
	key crypto.Signer
}

func newProver(t *testing.T) *prover { return &prover{T: t, key: newKey(t)} }

// proof returns a proof for the token endpoint. edit can change its claims.
func (p *prover) proof(edit ...func(claims map[string]any)) string {
	p.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": "POST", "htu": issuerURL + "/token", "iat": time.Now().Unix()}
	for _, f := range edit {
		f(claims)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	if err != nil {
		p.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.Fatal(err)
	}
	return compact
}

func with(name string, value any) func(map[string]any) {
	return func(claims map[string]any) { claims[name] = value }
}

// proving sends a proof.
func proving(proof string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add("DPoP", proof) }
}

func (s *sessions) logInWith(client string, edit ...func(*http.Request)) reply {
	s.Helper()
	fields := []string{"grant_type", "password", "client_id", client, "username", "alice", "password", password}
	if client == "backend" {
		fields = append(fields, "client_secret", secret)
	}
	return s.post(form(fields...), edit...)
}

func (s *sessions) refreshWith(client, token string, edit ...func(*http.Request)) reply {
	s.Helper()
	fields := []string{"grant_type", "refresh_token", "client_id", client, "refresh_token", token}
	if client == "backend" {
		fields = append(fields, "client_secret", secret)
	}
	return s.post(form(fields...), edit...)
}

func refreshToken(r reply) string {
	token, _ := r.fields["refresh_token"].(string)
	return token
}

type sessionClaims struct {
	Sub    string   `json:"sub"`
	Sid    string   `json:"sid"`
	Scope  string   `json:"scope"`
	Aud    []string `json:"aud"`
	Auth   int64    `json:"auth_time"`
	Groups []string `json:"groups"`
}

func (s *sessions) claims(r reply, aud string) sessionClaims {
	s.Helper()
	token, _ := r.fields["access_token"].(string)
	var claims sessionClaims
	s.must(s.verify(token, aud).Claims(&claims))
	return claims
}

func (s *sessions) want(what string, r reply, status int, code string) {
	s.Helper()
	got, _ := r.fields["error"].(string)
	if r.status != status || got != code {
		s.Errorf("%s: %d %s, want %d %s; the audit log ends with %s", what, r.status, r.body, status, code, lastLine(s.audit.String()))
	}
	if r.status != http.StatusOK && (refreshToken(r) != "" || r.fields["access_token"] != nil) {
		s.Errorf("%s: a refusal has a token", what)
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// A session goes on: its tokens carry the time of the login and one sid, and what is narrowed is narrowed once.
func TestSessionGoesOn(t *testing.T) {
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

// Without what binds it there is no refresh token, and with a stolen one nothing.
func TestRefreshTokenIsBound(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p, thief := newProver(t), newProver(t)
	if r := s.logInWith("spa"); r.status != 200 || refreshToken(r) != "" {
		t.Errorf("a login without a proof: %s", r.body)
	}
	if r := s.logInWith("web", proving(p.proof())); r.status != 200 || refreshToken(r) != "" || r.fields["token_type"] != "Bearer" {
		t.Errorf("a client without sessions: %s", r.body)
	}
	token := refreshToken(s.logInWith("spa", proving(p.proof())))
	used := p.proof()
	s.want("its own key", s.refreshWith("spa", token, proving(used)), 200, "")
	for what, c := range map[string]struct {
		client, token string
		edit          []func(*http.Request)
		code          string
	}{
		"no proof":              {"spa", token, nil, "invalid_dpop_proof"},
		"another key":           {"spa", token, []func(*http.Request){proving(thief.proof())}, "invalid_grant"},
		"a proof that was used": {"spa", token, []func(*http.Request){proving(used)}, "invalid_dpop_proof"},
		"two proofs":            {"spa", token, []func(*http.Request){proving(p.proof()), proving(p.proof())}, "invalid_dpop_proof"},
		"another URL":           {"spa", token, []func(*http.Request){proving(p.proof(with("htu", issuerURL+"/jwks")))}, "invalid_dpop_proof"},
		"the URL of the host":   {"spa", token, []func(*http.Request){proving(p.proof(with("htu", s.base+"/token")))}, "invalid_dpop_proof"},
		"another method":        {"spa", token, []func(*http.Request){proving(p.proof(with("htm", "GET")))}, "invalid_dpop_proof"},
		"of the future":         {"spa", token, []func(*http.Request){proving(p.proof(with("iat", time.Now().Add(2*time.Minute).Unix())))}, "use_dpop_nonce"},
		"of the past":           {"spa", token, []func(*http.Request){proving(p.proof(with("iat", time.Now().Add(-2*time.Minute).Unix())))}, "use_dpop_nonce"},
		"a nonce of nobody":     {"spa", token, []func(*http.Request){proving(p.proof(with("nonce", "x")))}, "use_dpop_nonce"},
		"another client":        {"careful", token, []func(*http.Request){proving(p.proof())}, "use_dpop_nonce"},
		"a client that may not": {"web", token, []func(*http.Request){proving(p.proof())}, "unauthorized_client"},
		"the backend":           {"backend", token, []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"no refresh token":      {"spa", "", []func(*http.Request){proving(p.proof())}, "invalid_request"},
		"cut short":             {"spa", token[:len(token)-4], []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"too long":              {"spa", token + strings.Repeat("a", 2048), []func(*http.Request){proving(p.proof())}, "invalid_grant"},
		"no token at all":       {"spa", "a.b.c.d.e", []func(*http.Request){proving(p.proof())}, "invalid_grant"},
	} {
		s.want(what, s.refreshWith(c.client, c.token, c.edit...), 400, c.code)
	}
	access, _ := s.logInWith("spa").fields["access_token"].(string)
	s.want("an access token", s.refreshWith("spa", access, proving(p.proof())), 400, "invalid_grant")
	if _, err := s.verifier(audience).Verify(t.Context(), token); err == nil {
		t.Error("a service takes a refresh token")
	}
}

// A client whose clock is wrong gets a nonce, and every replica knows it. It is good for a while, with any iat, once.
func TestNonces(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	wrong := with("iat", time.Now().Add(-3*time.Hour).Unix())
	asked := s.logInWith("careful", proving(p.proof()))
	s.want("a client that must use one", asked, 400, "use_dpop_nonce")
	nonce := asked.header.Get("DPoP-Nonce")
	s.want("with the nonce", s.logInWith("careful", proving(p.proof(with("nonce", nonce)))), 200, "")
	proof := p.proof(wrong, with("nonce", nonce))
	s.want("another client, whose clock is hours off", s.logInWith("spa", proving(proof)), 200, "")
	s.want("the same proof", s.logInWith("spa", proving(proof)), 400, "invalid_dpop_proof")
	if s.logInWith("spa").header.Get("DPoP-Nonce") != "" {
		t.Error("a client without proofs gets a nonce")
	}
	if s.logInWith("spa", proving(p.proof())).header.Get("DPoP-Nonce") == "" {
		t.Error("an answer to a proof has no nonce")
	}
	replica := prepareSessions(t)
	replica.sealing, replica.ahead = s.sealing, 5*time.Minute-30*time.Second
	replica.mount()
	replica.start()
	s.want("at another replica, nearly too old", replica.logInWith("spa", proving(p.proof(wrong, with("nonce", nonce)))), 200, "")
	late := prepareSessions(t)
	late.sealing, late.ahead = s.sealing, 6*time.Minute
	late.mount()
	late.start()
	s.want("too old", late.logInWith("spa", proving(p.proof(with("nonce", nonce)))), 400, "use_dpop_nonce")
	other := newSessions(t)
	s.want("of another issuer", other.logInWith("spa", proving(p.proof(with("nonce", nonce)))), 400, "use_dpop_nonce")
}

// Tokens of a client that asks for it are bound to its key, at each grant, and a service wants the proof.
func TestBoundAccessTokens(t *testing.T) {
	t.Parallel()
	s := newSessions(t)
	p := newProver(t)
	s.want("without a proof", s.logInWith("bound"), 400, "invalid_dpop_proof")
	r := s.logInWith("bound", proving(p.proof()))
	token, _ := r.fields["access_token"].(string)
	if r.status != 200 || r.fields["token_type"] != "DPoP" || refreshToken(r) == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if _, err := s.verifier(audience).Verify(t.Context(), token); err == nil {
		t.Error("a bound token is accepted as a bearer token")
	}
	jwk := jwkOf(t, "ES256", p.key)
	if !strings.Contains(payloadOf(t, token), `"cnf":{"jkt":"`+jwk.KeyID+`"}`) {
		t.Errorf("it is bound to %s", payloadOf(t, token))
	}
	if again := s.refreshWith("bound", refreshToken(r), proving(p.proof())); again.fields["token_type"] != "DPoP" {
		t.Errorf("refreshed: %s", again.body)
	}
}

// The user is looked up at each refresh.
func TestRefreshKnowsTheUserOfNow(t *testing.T) {
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
		"shorter": {30 * time.Minute, time.Hour, "spec.sessions of the SigningKey wins"},
		"none":    {0, 0, "Set spec.sessions of the SigningKey"},
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

// payloadOf are the claims of a token, not verified.
func payloadOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

package server_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
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

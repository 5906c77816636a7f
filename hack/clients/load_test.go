package clients_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier"
)

const (
	workers = 8
	// sharedIssuer is the iss of all replicas of a fleet.
	sharedIssuer = "https://localhost"
	// stranger is another issuer, whose tokens are exchanged.
	stranger      = "https://stranger.example.com"
	exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// customers are clients of every kind, and who can sign for them.
type customers struct {
	testing.TB
	robot, stranger jose.JSONWebKey
}

func newCustomers(t testing.TB) *customers {
	t.Helper()
	return &customers{TB: t, robot: newKeyring(t).active, stranger: newKeyring(t).active}
}

// options make an issuer know them.
func (c *customers) options() options {
	c.Helper()
	robot, err := json.Marshal(c.robot.Public())
	must(c, err)
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{c.stranger.Public()}})
	must(c, err)
	file := filepath.Join(c.TempDir(), "stranger.json")
	must(c, os.WriteFile(file, keys, 0o600))
	return options{
		issuer: sharedIssuer,
		clients: fmt.Sprintf(`- {id: robot, grantTypes: [client_credentials], publicKeys: [%s]}
- {id: backend, secretSHA256: %x, grantTypes: [password], refresh: {}}
- {id: pods, public: true, grantTypes: [%q], subjectIssuers: [stranger]}`, robot, sha256.Sum256([]byte(secret)), exchangeGrant),
		rest: fmt.Sprintf("tokenExchange:\n- {name: stranger, issuer: %q, keys: {file: %q}}", stranger, file),
	}
}

// order is a request for a token, and the sub that the token must have. Those of a session are counted apart.
type order struct {
	form    url.Values
	subject string
	session *string
}

// refreshes is what the requests of sessions are counted as.
const refreshes = "sessions"

// order returns the nth one. Logins are few, since hashing takes the CPU, and assertions fewer than what they stand for: each is
// remembered until it has expired.
func (c *customers) order(n int, session *string) (order, error) {
	switch {
	case n%10 == 3:
		form := url.Values{"client_id": {"backend"}, "client_secret": {secret}, "grant_type": {"refresh_token"}, "refresh_token": {*session}}
		if *session == "" {
			form = url.Values{"client_id": {"backend"}, "client_secret": {secret}, "grant_type": {"password"}, "username": {"alice"}, "password": {password}}
		}
		return order{form, "1", session}, nil
	case n%50 == 0:
		return order{form: url.Values{"grant_type": {"password"}, "client_id": {"web"}, "username": {"alice"}, "password": {password}}, subject: "1"}, nil
	case n%20 == 7:
		assertion, err := sign(c.robot, map[string]any{
			"iss": "robot", "sub": "robot", "aud": sharedIssuer, "jti": rand.Text(), "exp": time.Now().Add(time.Minute).Unix(),
		})
		return order{form: url.Values{
			"grant_type": {"client_credentials"}, "client_assertion": {assertion},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}, subject: "client:robot"}, err
	case n%5 == 1:
		token, err := sign(c.stranger, map[string]any{
			"iss": stranger, "sub": "cart", "aud": sharedIssuer, "exp": time.Now().Add(time.Hour).Unix(),
		})
		return order{form: url.Values{
			"grant_type": {exchangeGrant}, "client_id": {"pods"}, "subject_token": {token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		}, subject: "stranger:cart"}, err
	}
	return order{form: url.Values{"grant_type": {"client_credentials"}, "client_id": {"batch"}, "client_secret": {secret}}, subject: "client:batch"}, nil
}

func sign(key jose.JSONWebKey, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(key.Algorithm), Key: key}, nil)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// load is what workers ask for, each with a client of its own, half of them over HTTP/2. Every token is verified.
type load struct {
	*customers
	url       string
	authority *authority
	verifier  *verifier.Verifier

	mu     sync.Mutex
	issued int
	// seen counts the answers by the protocol, and by the sub of their tokens.
	seen   map[string]int
	failed []failure
}

type failure struct {
	at   time.Time
	what string
}

func newLoad(t *testing.T, a *authority, url, jwks string, c *customers) *load {
	t.Helper()
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{sharedIssuer: verifier.File(jwks)}, Audience: audience})
	must(t, err)
	t.Cleanup(v.Close)
	return &load{customers: c, url: url, authority: a, verifier: v, seen: map[string]int{}}
}

// start sends requests until the context ends. No request is sent again, and connections are made anew now and then.
func (l *load) start(ctx context.Context) (wait func()) {
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			client := l.authority.client()
			if i%2 == 1 {
				client = l.authority.http2()
			}
			defer client.CloseIdleConnections()
			session := "" // the refresh token of this worker
			for n := i; ctx.Err() == nil; n++ {
				if n%200 == 0 {
					client.CloseIdleConnections()
				}
				l.one(client, n, &session)
			}
		})
	}
	return all.Wait
}

// one sends the nth request, and counts it.
func (l *load) one(client *http.Client, n int, session *string) {
	o, err := l.order(n, session)
	protocol := ""
	if err == nil {
		protocol, err = l.send(client, o)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued++
	if err != nil {
		l.failed = append(l.failed, failure{time.Now(), err.Error()})
		return
	}
	l.seen[protocol]++
	if o.session != nil {
		l.seen[refreshes]++
		return
	}
	l.seen[o.subject]++
}

func (l *load) send(client *http.Client, o order) (protocol string, err error) {
	response, err := client.PostForm(l.url+"/token", o.form)
	if err != nil {
		return "", fmt.Errorf("%s: %w", o.subject, err)
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return "", fmt.Errorf("%s over %s: %w", o.subject, response.Proto, err)
	}
	_, rest, found := strings.Cut(string(b), `"access_token":"`)
	if response.StatusCode != http.StatusOK || !found {
		return "", fmt.Errorf("%s over %s: %d %s", o.subject, response.Proto, response.StatusCode, b)
	}
	compact, _, _ := strings.Cut(rest, `"`)
	token, err := l.verifier.Verify(context.Background(), compact)
	if err != nil {
		return "", fmt.Errorf("%s over %s: %w", o.subject, response.Proto, err)
	}
	if token.Subject() != o.subject {
		return "", fmt.Errorf("%s got a token of %s", o.subject, token.Subject())
	}
	if o.session != nil {
		var got struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := json.Unmarshal(b, &got); err != nil || got.RefreshToken == "" {
			return "", fmt.Errorf("no refresh token: %s", b)
		}
		*o.session = got.RefreshToken
	}
	return response.Proto, nil
}

// String counts the requests.
func (l *load) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d requests %v, %d failed", l.issued, l.seen, len(l.failed))
}

// checkMix wants all kinds of requests, over both protocols.
func (l *load) checkMix(t *testing.T) {
	t.Helper()
	for what, least := range map[string]int{"HTTP/1.1": 100, "HTTP/2.0": 100, "1": 2, "client:batch": 50, "client:robot": 5, "stranger:cart": 20, refreshes: 20} {
		if l.seen[what] < least {
			t.Errorf("%s is hardly any of the load: %s", what, l)
		}
	}
}

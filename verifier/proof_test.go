package verifier

import (
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/dpop"
)

// proofHeader is that of a proof of a key.
func proofHeader(k testKey) string {
	return `{"typ":"dpop+jwt","alg":"` + string(k.alg) + `","jwk":` + string(must(json.Marshal(jose.JSONWebKey{Key: k.private.Public()}))) + `}`
}

// proofClaims are good for a GET of /orders with a token, at testNow.
func proofClaims(token string) string {
	return `{"jti":"p-1","htm":"GET","htu":"` + testAudience + `/orders","iat":1800000000,"ath":"` + dpop.AccessTokenHash(token) + `"}`
}

// thumbprintOf is the one that go-jose computes.
func thumbprintOf(k testKey) string {
	key := jose.JSONWebKey{Key: k.private.Public()}
	return base64.RawURLEncoding.EncodeToString(must(key.Thumbprint(crypto.SHA256)))
}

// confirmed is a token with a cnf.
func confirmed(t testing.TB, cnf string) string {
	return esKey().sign(goodHeader, replaced(t, goodClaims, `"jti":"id-1"`, `"jti":"id-1","cnf":`+cnf))
}

// boundTo is a token that is bound to a key.
func boundTo(t testing.TB, k testKey) string { return confirmed(t, `{"jkt":"`+thumbprintOf(k)+`"}`) }

// proving is a Verifier with a mode, and what was heard of it.
func proving(t testing.TB, proof Proof, changes ...func(*Config)) *Verifier {
	config := testConfig(t)
	config.Proof, config.BaseURL = proof, testAudience
	for _, change := range changes {
		change(&config)
	}
	return newVerifier(t, config)
}

// get is a request for /orders with a token under a scheme, and with proofs.
func get(authorization string, proofs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders?page=2", nil)
	r.Header.Set("Authorization", authorization)
	for _, proof := range proofs {
		r.Header.Add(dpop.Header, proof)
	}
	return r
}

// The checks of RFC 9449 section 4.3 that a verifier makes of a proof that is good in itself, by number, and those of package dpop
// that a request decides.
func TestProofs(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	sign := func(claims string) string { return client.sign(proofHeader(client), claims) }
	claim := func(old, updated string) string { return sign(replaced(t, proofClaims(token), old, updated)) }
	thief := edwardsKey()
	for _, row := range []struct {
		name   string
		proofs []string
		want   error
		cause  error
		reason string
	}{
		{"good", []string{sign(proofClaims(token))}, nil, nil, "ok"},
		{"1: no proof", nil, ErrProof, dpop.ErrMissing, "proof"},
		{"1: two proofs", []string{sign(proofClaims(token)), claim("p-1", "p-2")}, ErrProof, dpop.ErrSeveral, "proof"},
		{"6: forged", []string{thief.sign(proofHeader(client), proofClaims(token))}, ErrProof, dpop.ErrSignature, "proof"},
		{"8: another method", []string{claim("GET", "POST")}, ErrProof, dpop.ErrMethod, "proof"},
		{"9: another URL", []string{claim("/orders", "/orders/1")}, ErrProof, dpop.ErrURL, "proof"},
		{"9: the host of the request", []string{claim("orders.example.com", "example.com")}, ErrProof, dpop.ErrURL, "proof"},
		{"11: a minute old", []string{claim("1800000000", "1799999940")}, nil, nil, "ok"},
		{"11: older", []string{claim("1800000000", "1799999939")}, ErrProof, errProofDate, "proof"},
		{"11: a minute ahead", []string{claim("1800000000", "1800000060")}, nil, nil, "ok"},
		{"11: further ahead", []string{claim("1800000000", "1800000061")}, ErrProof, errProofDate, "proof"},
		{"12: no ath", []string{claim(`"ath"`, `"other"`)}, ErrProof, errOtherToken, "proof"},
		{"12: ath of another token", []string{sign(proofClaims(esKey().good()))}, ErrProof, errOtherToken, "proof"},
		{"12: another key", []string{thief.sign(proofHeader(thief), proofClaims(token))}, ErrProof, errOtherKey, "proof"},
	} {
		for _, mode := range []Proof{DPoPOptional, DPoPRequired} {
			heard := &lastReason{}
			v := proving(t, mode, func(c *Config) { c.Observer = heard })
			verified, err := v.VerifyRequest(get("DPoP "+token, row.proofs...))
			if !errors.Is(err, row.want) || !errors.Is(err, row.cause) || (err == nil) != (verified != nil) || heard.reason != row.reason {
				t.Errorf("%s: got %v (%s), want %v", row.name, err, heard.reason, row.want)
			}
			if err == nil && (!verified.Bound() || verified.Subject() != "alice") {
				t.Errorf("%s: %+v", row.name, verified)
			}
		}
	}
}

// lastReason keeps what an Observer heard last.
type lastReason struct {
	noopObserver
	reason string
	full   int
}

func (l *lastReason) TokenVerified(reason string) { l.reason = reason }
func (l *lastReason) ReplaysFull()                { l.full++ }

// A proof is good once (section 11.1), for its whole window, and only what passes all other checks is remembered.
func TestProofIsGoodOnce(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	clock, heard := &clock{now: testNow}, &lastReason{}
	v := proving(t, DPoPOptional, func(c *Config) { c.Now, c.Observer = clock.Now, heard })
	ahead := client.sign(proofHeader(client), replaced(t, proofClaims(token), "1800000000", "1800000060"))
	for _, step := range []struct {
		name  string
		after time.Duration
		proof string
		want  error
	}{
		{"for another URL first", 0, client.sign(proofHeader(client), replaced(t, proofClaims(token), "/orders", "/other")), dpop.ErrURL},
		{"the first time", 0, ahead, nil},
		{"again", 0, ahead, dpop.ErrReplayed},
		{"signed again", 0, client.sign(proofHeader(client), proofClaims(token)), dpop.ErrReplayed},
		{"at the end of its window", 2 * time.Minute, ahead, dpop.ErrReplayed},
		{"after it", time.Second, ahead, errProofDate},
	} {
		clock.advance(step.after)
		_, err := v.VerifyRequest(get("DPoP "+token, step.proof))
		if !errors.Is(err, step.want) || (step.want != nil && !errors.Is(err, ErrProof)) {
			t.Errorf("%s: %v, want %v", step.name, err, step.want)
		}
		if errors.Is(err, dpop.ErrReplayed) != (heard.reason == "replayed") {
			t.Errorf("%s: the observer heard %s", step.name, heard.reason)
		}
	}
}

// A full memory refuses no valid token, and says so: to the Observer each time, in the log once a minute.
func TestFullReplaysAcceptAndSay(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	clock, heard, said := &clock{now: testNow}, &lastReason{}, &log{}
	v := proving(t, DPoPRequired, func(c *Config) { c.Now, c.Observer, c.Logger = clock.Now, heard, said.logger() })
	v.senderVerifier.replays = dpop.NewReplays(1)
	for n := range 4 {
		proof := client.sign(proofHeader(client), replaced(t, proofClaims(token), "p-1", fmt.Sprint("p-", n)))
		if _, err := v.VerifyRequest(get("DPoP "+token, proof)); err != nil {
			t.Fatal(err)
		}
	}
	if heard.full != 3 || heard.reason != "ok" {
		t.Errorf("the observer heard of %d full memories, and %s", heard.full, heard.reason)
	}
	if n := said.count("their replay is not detected"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
	clock.advance(30 * time.Second)
	v.replaysFull(t.Context(), clock.Now())
	clock.advance(30 * time.Second)
	v.replaysFull(t.Context(), clock.Now())
	if n := said.count("their replay is not detected"); n != 2 {
		t.Errorf("a minute later the log has said it %d times", n)
	}
}

// A token that is bound to anything is refused where that is not shown, also when it is remembered.
func TestBoundTokensAreNoBearerTokens(t *testing.T) {
	jkt := thumbprintOf(otherKey())
	certificate := strings.Repeat("c", 43)
	for name, row := range map[string]struct {
		cnf  string
		want error
	}{
		"a key":                           {`{"jkt":"` + jkt + `"}`, ErrProof},
		"a certificate":                   {`{"x5t#S256":"` + certificate + `"}`, ErrProof},
		"both":                            {`{"jkt":"` + jkt + `","x5t#S256":"` + certificate + `"}`, ErrProof},
		"a key and something else":        {`{"jkt":"` + jkt + `","osc":{}}`, ErrProof},
		"a key in full":                   {`{"jwk":{}}`, ErrProof},
		"a kid":                           {`{"kid":"1"}`, ErrProof},
		"another case":                    {`{"JKT":"` + jkt + `"}`, ErrProof},
		"nothing":                         {`{}`, ErrProof},
		"null":                            {`null`, ErrMalformed},
		"a text":                          {`"` + jkt + `"`, ErrMalformed},
		"a list":                          {`[]`, ErrMalformed},
		"a thumbprint of no text":         {`{"jkt":1}`, ErrMalformed},
		"a short thumbprint":              {`{"jkt":"AAAA"}`, ErrMalformed},
		"an empty thumbprint":             {`{"jkt":""}`, ErrMalformed},
		"a certificate that is no digest": {`{"x5t#S256":"AA"}`, ErrMalformed},
	} {
		token := confirmed(t, row.cnf)
		for _, mode := range []Proof{Bearer, DPoPOptional, DPoPRequired} {
			v := proving(t, mode)
			for range 2 {
				_, err := v.Verify(t.Context(), token)
				wantError(t, name, err, row.want, token)
				_, err = v.VerifyRequest(get("Bearer " + token))
				wantError(t, name+", in a request", err, row.want, token)
			}
		}
	}
}

// Each mode takes what it says, and nothing else.
func TestProofModes(t *testing.T) {
	client := otherKey()
	good, bound := esKey().good(), boundTo(t, client)
	proof := client.sign(proofHeader(client), proofClaims(bound))
	other := client.sign(proofHeader(client), proofClaims(good))
	for _, row := range []struct {
		name          string
		authorization string
		proof         string
		want          [3]error // of Bearer, DPoPOptional, DPoPRequired
	}{
		{"a bearer token", "Bearer " + good, "", [3]error{nil, nil, ErrProof}},
		{"a bearer token with a proof", "Bearer " + good, other, [3]error{nil, nil, ErrProof}},
		{"a bearer token as DPoP", "DPoP " + good, other, [3]error{ErrNoToken, ErrProof, ErrProof}},
		{"a bound token", "DPoP " + bound, proof, [3]error{ErrNoToken, nil, nil}},
		{"a bound token, the scheme in lower case", "dpop  " + bound, proof, [3]error{ErrNoToken, nil, nil}},
		{"a bound token as Bearer", "Bearer " + bound, proof, [3]error{ErrProof, ErrProof, ErrProof}},
		{"no token", "DPoP", proof, [3]error{ErrNoToken, ErrMalformed, ErrMalformed}},
		{"another scheme", "Basic AAAA", proof, [3]error{ErrNoToken, ErrNoToken, ErrNoToken}},
	} {
		for mode, want := range row.want {
			v := proving(t, Proof(mode))
			var proofs []string
			if row.proof != "" {
				proofs = []string{row.proof}
			}
			if _, err := v.VerifyRequest(get(row.authorization, proofs...)); !errors.Is(err, want) {
				t.Errorf("%s, mode %d: %v, want %v", row.name, mode, err, want)
			}
		}
	}
	required := proving(t, DPoPRequired)
	if _, err := required.Verify(t.Context(), good); !errors.Is(err, ErrProof) {
		t.Errorf("Verify of a bearer token where proofs are required: %v", err)
	}
}

// A token that is bound to a certificate is good with that certificate in TLS, and with no other.
func TestCertificateBoundTokens(t *testing.T) {
	certificate := func(raw string) *x509.Certificate { return &x509.Certificate{Raw: []byte(raw)} }
	sum := sha256.Sum256([]byte("mine"))
	digest := base64.RawURLEncoding.EncodeToString(sum[:])
	token := confirmed(t, `{"x5t#S256":"`+digest+`"}`)
	client := otherKey()
	both := confirmed(t, `{"jkt":"`+thumbprintOf(client)+`","x5t#S256":"`+digest+`"}`)
	mine := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate("mine"), certificate("ca")}}
	for _, row := range []struct {
		name, authorization string
		tls                 *tls.ConnectionState
		want                [3]error
	}{
		{"mine", "Bearer " + token, mine, [3]error{nil, nil, ErrProof}},
		{"no TLS", "Bearer " + token, nil, [3]error{ErrProof, ErrProof, ErrProof}},
		{"no certificate", "Bearer " + token, &tls.ConnectionState{}, [3]error{ErrProof, ErrProof, ErrProof}},
		{"another one", "Bearer " + token, &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate("other"), certificate("mine")}}, [3]error{ErrProof, ErrProof, ErrProof}},
		{"both, without the proof", "Bearer " + both, mine, [3]error{ErrProof, ErrProof, ErrProof}},
		{"both", "DPoP " + both, mine, [3]error{ErrNoToken, nil, nil}},
		{"both, without the certificate", "DPoP " + both, nil, [3]error{ErrNoToken, ErrProof, ErrProof}},
		{"as DPoP", "DPoP " + token, mine, [3]error{ErrNoToken, ErrProof, ErrProof}},
	} {
		for mode, want := range row.want {
			_, text, _ := strings.Cut(row.authorization, " ")
			r := get(row.authorization, client.sign(proofHeader(client), proofClaims(text)))
			r.TLS = row.tls
			if _, err := proving(t, Proof(mode)).VerifyRequest(r); !errors.Is(err, want) {
				t.Errorf("%s, mode %d: %v, want %v", row.name, mode, err, want)
			}
		}
	}
}

// A proof is for the URL that a client sees, whatever the request says of hosts and however a handler before has cut its path.
func TestURLOfARequest(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	for _, row := range []struct {
		name, htu string
		change    func(*Config)
		request   func(*http.Request)
		ok        bool
	}{
		{"the base", "https://orders.example.com/orders", nil, nil, true},
		{"the base, normalized", "https://ORDERS.example.com:443/x/../orders", nil, nil, true},
		{"the host of the request", "https://evil.example.com/orders", nil, func(r *http.Request) { r.Host = "evil.example.com" }, false},
		{"a header of a proxy", "https://evil.example.com/orders", nil, func(r *http.Request) { r.Header.Set("X-Forwarded-Host", "evil.example.com") }, false},
		{"a prefix", "https://example.com/shop/orders", func(c *Config) { c.BaseURL = "https://example.com/shop/" }, nil, true},
		{"without the prefix", "https://example.com/orders", func(c *Config) { c.BaseURL = "https://example.com/shop/" }, nil, false},
		{"a path that was cut", "https://orders.example.com/orders", nil, func(r *http.Request) { r.URL.Path = "/" }, true},
		{"no request line", "https://orders.example.com/orders", nil, func(r *http.Request) { r.RequestURI = "" }, true},
		{"an absolute request line", "https://orders.example.com/orders", nil, func(r *http.Request) { r.RequestURI = "http://evil.example.com/other" }, true},
		{"a path that needs escapes", "https://orders.example.com/%C3%BC", nil, func(r *http.Request) { r.RequestURI, r.URL.Path = "", "/ü" }, true},
		{"a function", "https://b.example.com/orders?x", func(c *Config) {
			c.BaseURL, c.RequestURL = "", func(r *http.Request) string { return "https://b.example.com" + r.URL.Path }
		}, nil, true},
		{"a function that knows none", "https://orders.example.com/orders", func(c *Config) {
			c.BaseURL, c.RequestURL = "", func(*http.Request) string { return "" }
		}, nil, false},
	} {
		var changes []func(*Config)
		if row.change != nil {
			changes = append(changes, row.change)
		}
		r := get("DPoP "+token, client.sign(proofHeader(client), replaced(t, proofClaims(token), "https://orders.example.com/orders", row.htu)))
		if row.request != nil {
			row.request(r)
		}
		_, err := proving(t, DPoPRequired, changes...).VerifyRequest(r)
		if (err == nil) != row.ok || (err != nil && !errors.Is(err, dpop.ErrURL)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// Bearer tokens cost what they cost without proofs: nothing when they come again.
func TestBearerTokensAreNotCharged(t *testing.T) {
	v := proving(t, DPoPOptional)
	r := get("Bearer " + esKey().good())
	verify := func() {
		if token, err := v.VerifyRequest(r); err != nil || token.Bound() {
			t.Fatal(err)
		}
	}
	verify()
	if allocations := testing.AllocsPerRun(100, verify); allocations > 0 {
		t.Errorf("a bearer token from memory takes %v allocations", allocations)
	}
}

package verifier

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What WWW-Authenticate says in each mode (RFC 6750 section 3, RFC 9449 sections 7.1 and 7.2, RFC 9728 section 5.1).
func TestChallenges(t *testing.T) {
	client, bound := otherKey(), boundTo(t, otherKey())
	proof := client.sign(proofHeader(client), proofClaims(bound))
	late := client.sign(proofHeader(client), replaced(t, proofClaims(bound), "1800000000", "1700000000"))
	stolen := edwardsKey().sign(proofHeader(edwardsKey()), proofClaims(bound))
	const algs = `algs="ES256 EdDSA Ed25519 RS256"`
	const lacking = `error="insufficient_scope", scope="orders:admin"`
	const meta = `resource_metadata="https://orders.example.com/.well-known/oauth-protected-resource"`
	for _, row := range []struct {
		name          string
		proof         Proof
		metadata      bool
		authorization string
		sent          string
		status        int
		want          []string
	}{
		{"bearer, none", Bearer, false, "", "", 401, []string{"Bearer"}},
		{"bearer, a proof", Bearer, false, "DPoP " + bound, proof, 401, []string{"Bearer"}},
		{"bearer, bound", Bearer, false, "Bearer " + bound, "", 401, []string{`Bearer error="invalid_token"`}},
		{"bearer, none, with metadata", Bearer, true, "", "", 401, []string{"Bearer " + meta}},
		{"bearer, invalid, with metadata", Bearer, true, "Bearer x", "", 401, []string{`Bearer error="invalid_token", ` + meta}},
		{"bearer, scope, with metadata", Bearer, true, "Bearer " + esKey().good(), "", 403, []string{"Bearer " + lacking + ", " + meta}},
		{"optional, none", DPoPOptional, false, "", "", 401, []string{"Bearer", "DPoP " + algs}},
		{"optional, none, with metadata", DPoPOptional, true, "", "", 401, []string{"Bearer " + meta, "DPoP " + algs + ", " + meta}},
		{"optional, invalid bearer token", DPoPOptional, false, "Bearer x", "", 401, []string{`Bearer error="invalid_token"`, "DPoP " + algs}},
		{"optional, bound as a bearer token", DPoPOptional, false, "Bearer " + bound, "", 401, []string{`Bearer error="invalid_token"`, "DPoP " + algs}},
		{"optional, invalid token", DPoPOptional, false, "DPoP x", proof, 401, []string{"Bearer", `DPoP error="invalid_token", ` + algs}},
		{"optional, no proof", DPoPOptional, false, "DPoP " + bound, "", 401, []string{"Bearer", `DPoP error="invalid_dpop_proof", ` + algs}},
		{"optional, a late proof", DPoPOptional, false, "dpop " + bound, late, 401, []string{"Bearer", `DPoP error="invalid_dpop_proof", ` + algs}},
		{"optional, the key of another", DPoPOptional, false, "DPoP " + bound, stolen, 401, []string{"Bearer", `DPoP error="invalid_token", ` + algs}},
		{"optional, scope", DPoPOptional, false, "DPoP " + bound, proof, 403, []string{"Bearer", "DPoP " + lacking + ", " + algs}},
		{"optional, scope of a bearer token", DPoPOptional, false, "Bearer " + esKey().good(), "", 403, []string{"Bearer " + lacking, "DPoP " + algs}},
		{"required, none", DPoPRequired, false, "", "", 401, []string{"DPoP " + algs}},
		{"required, a bearer token", DPoPRequired, false, "Bearer " + esKey().good(), "", 401, []string{`DPoP error="invalid_token", ` + algs}},
		{"required, a late proof, with metadata", DPoPRequired, true, "DPoP " + bound, late, 401, []string{`DPoP error="invalid_dpop_proof", ` + algs + ", " + meta}},
		{"required, scope", DPoPRequired, false, "DPoP " + bound, proof, 403, []string{"DPoP " + lacking + ", " + algs}},
	} {
		v := proving(t, row.proof, func(c *Config) {
			if row.metadata {
				c.Metadata = &Metadata{Resource: testAudience, AuthorizationServers: []string{testIssuer}, Proof: row.proof}
			}
		})
		var proofs []string
		if row.sent != "" {
			proofs = []string{row.sent}
		}
		recorder := httptest.NewRecorder()
		v.Middleware(RequireScope("orders:admin")(http.HandlerFunc(whoami))).ServeHTTP(recorder, get(row.authorization, proofs...))
		if diff := cmp.Diff(row.want, recorder.Header()["Www-Authenticate"]); diff != "" || recorder.Code != row.status {
			t.Errorf("%s: status %d, challenges (-want +got):\n%s", row.name, recorder.Code, diff)
		}
	}
}

// A handler behind Middleware has the bound token, whatever stands before it.
func TestMiddlewareTakesBoundTokens(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	v := proving(t, DPoPRequired)
	recorder := httptest.NewRecorder()
	http.StripPrefix("/orders", v.Middleware(RequireScope("orders:read")(http.HandlerFunc(whoami)))).
		ServeHTTP(recorder, get("DPoP "+token, client.sign(proofHeader(client), proofClaims(token))))
	if recorder.Code != http.StatusOK || recorder.Body.String() != "alice" {
		t.Errorf("%d %s", recorder.Code, recorder.Body)
	}
}

// The log says what was wrong with a proof, and quotes nothing of it.
func TestLogOfRefusedProofs(t *testing.T) {
	client, token := otherKey(), boundTo(t, otherKey())
	said := &log{}
	v := proving(t, DPoPRequired, func(c *Config) { c.Logger = said.logger() })
	proof := client.sign(proofHeader(client), replaced(t, proofClaims(token), "1800000000", "1700000000"))
	v.Middleware(http.HandlerFunc(whoami)).ServeHTTP(httptest.NewRecorder(), get("DPoP "+token, proof))
	if said.count("its iat differs from the current time by more than 1m0s") != 1 {
		t.Errorf("the log does not say why: %s", &said.text)
	}
	for _, segment := range append(strings.Split(proof, "."), strings.Split(token, ".")...) {
		if said.count(segment[:16]) > 0 {
			t.Errorf("the log has a part of the token or its proof: %s", &said.text)
		}
	}
}

func TestNewRefusesProofConfigs(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"Proof":                     func(c *Config) { c.Proof = DPoPRequired + 1 },
		"Proof negative":            func(c *Config) { c.Proof = -1 },
		"BaseURL, no URL":           func(c *Config) { c.Proof = DPoPOptional },
		"BaseURL, required, no URL": func(c *Config) { c.Proof = DPoPRequired },
		"BaseURL and a function": func(c *Config) {
			c.Proof, c.BaseURL, c.RequestURL = DPoPOptional, testAudience, (*http.Request).UserAgent
		},
		"BaseURL relative":                 func(c *Config) { c.BaseURL = "/orders" },
		"BaseURL without a scheme":         func(c *Config) { c.BaseURL = "orders.example.com" },
		"BaseURL without a host":           func(c *Config) { c.BaseURL = "https:///orders" },
		"BaseURL of another scheme":        func(c *Config) { c.BaseURL = "ftp://orders.example.com" },
		"BaseURL with a query":             func(c *Config) { c.BaseURL = "https://orders.example.com?x" },
		"BaseURL with a fragment":          func(c *Config) { c.BaseURL = "https://orders.example.com#x" },
		"BaseURL with a user":              func(c *Config) { c.BaseURL = "https://a@orders.example.com" },
		"BaseURL broken":                   func(c *Config) { c.BaseURL = "https://orders.example.com:x" },
		"Metadata of nothing":              func(c *Config) { c.Metadata = &Metadata{} },
		"Metadata of another Proof":        func(c *Config) { c.Metadata = metadataOf(testAudience); c.Metadata.Proof = DPoPRequired },
		"Metadata without an issuer":       func(c *Config) { c.Metadata = &Metadata{Resource: testAudience} },
		"Metadata of a broken issuer":      func(c *Config) { c.Metadata = &Metadata{Resource: testAudience, AuthorizationServers: []string{"x"}} },
		"Metadata of http":                 func(c *Config) { c.Metadata = metadataOf("http://orders.example.com") },
		"Metadata of an address over http": func(c *Config) { c.Metadata = metadataOf("http://192.0.2.1") },
		"Metadata with a query":            func(c *Config) { c.Metadata = metadataOf("https://orders.example.com?x") },
		"Metadata with a fragment":         func(c *Config) { c.Metadata = metadataOf("https://orders.example.com#x") },
		"Metadata with a user":             func(c *Config) { c.Metadata = metadataOf("https://a@orders.example.com") },
		"Metadata with a quote":            func(c *Config) { c.Metadata = metadataOf(`https://orders.example.com/"`) },
		"Metadata with a space":            func(c *Config) { c.Metadata = metadataOf("https://orders.example.com/a b") },
		"Metadata outside ASCII":           func(c *Config) { c.Metadata = metadataOf("https://orders.example.com/ü") },
		"Metadata without a host":          func(c *Config) { c.Metadata = metadataOf("https:///orders") },
		"Metadata of a name":               func(c *Config) { c.Metadata = metadataOf("orders") },
		"Metadata of a broken URL":         func(c *Config) { c.Metadata = metadataOf("https://orders:x") },
	} {
		config := testConfig(t)
		change(&config)
		v, err := New(config)
		if err == nil {
			v.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if field, _, _ := strings.Cut(strings.ReplaceAll(name, ",", " "), " "); !strings.Contains(err.Error(), field) {
			t.Errorf("%s: the error does not name the field: %v", name, err)
		}
	}
	for name, change := range map[string]func(*Config){
		"a base URL with bearer tokens alone": func(c *Config) { c.BaseURL = testAudience },
		"http, behind a proxy without TLS":    func(c *Config) { c.Proof, c.BaseURL = DPoPOptional, "http://orders" },
		"metadata of this machine":            func(c *Config) { c.Metadata = metadataOf("http://localhost:8080/mcp") },
		"metadata of its address":             func(c *Config) { c.Metadata = metadataOf("http://127.0.0.1:8080") },
	} {
		config := testConfig(t)
		change(&config)
		v, err := New(config)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v.Close()
	}
}

func metadataOf(resource string) *Metadata {
	return &Metadata{Resource: resource, AuthorizationServers: []string{testIssuer}}
}

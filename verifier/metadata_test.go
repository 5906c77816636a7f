package verifier

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The URL of the metadata follows from that of the resource (RFC 9728 section 3.1).
func TestMetadataURL(t *testing.T) {
	for resource, want := range map[string][2]string{
		"https://a.example":          {"https://a.example/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource"},
		"https://a.example/":         {"https://a.example/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource"},
		"https://a.example:8443/mcp": {"https://a.example:8443/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource/mcp"},
		"https://a.example/b/c/":     {"https://a.example/.well-known/oauth-protected-resource/b/c/", "/.well-known/oauth-protected-resource/b/c/"},
	} {
		m := metadataOf(resource)
		if got := [2]string{m.URL(), m.Path()}; got != want {
			t.Errorf("%s: got %v, want %v", resource, got, want)
		}
	}
}

func TestMetadataDocument(t *testing.T) {
	const issuer = "https://issuer.example.com"
	algorithms := []any{"ES256", "EdDSA", "Ed25519", "RS256"}
	for name, row := range map[string]struct {
		metadata Metadata
		want     map[string]any
	}{
		"the least": {
			Metadata{Resource: "https://a.example", AuthorizationServers: []string{issuer}},
			map[string]any{"resource": "https://a.example", "authorization_servers": []any{issuer}, "bearer_methods_supported": []any{"header"}},
		},
		"optional proofs": {
			Metadata{Resource: "https://a.example", AuthorizationServers: []string{issuer}, Proof: DPoPOptional, CertificateBound: true},
			map[string]any{
				"resource": "https://a.example", "authorization_servers": []any{issuer}, "bearer_methods_supported": []any{"header"},
				"dpop_signing_alg_values_supported": algorithms, "tls_client_certificate_bound_access_tokens": true,
			},
		},
		"all": {
			Metadata{
				Resource: "https://a.example", AuthorizationServers: []string{issuer, "https://b.example"}, Name: "Orders",
				ScopesSupported: []string{"orders:read"}, Documentation: "https://docs.example", Proof: DPoPRequired,
			},
			map[string]any{
				"resource": "https://a.example", "authorization_servers": []any{issuer, "https://b.example"}, "resource_name": "Orders",
				"scopes_supported": []any{"orders:read"}, "resource_documentation": "https://docs.example",
				"dpop_signing_alg_values_supported": algorithms, "dpop_bound_access_tokens_required": true,
			},
		},
	} {
		recorder := httptest.NewRecorder()
		row.metadata.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, row.metadata.Path(), nil))
		var got map[string]any
		must(0, json.Unmarshal(recorder.Body.Bytes(), &got))
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: difference (-want +got):\n%s", name, diff)
		}
		if recorder.Header().Get("Content-Type") != "application/json" || recorder.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %v", name, recorder.Header())
		}
	}
}

// Pages of any origin may read what is public, and nobody may write it.
func TestMetadataMethods(t *testing.T) {
	for method, want := range map[string]int{
		http.MethodGet: 200, http.MethodHead: 200, http.MethodOptions: 204, http.MethodPost: 405, http.MethodPut: 405,
	} {
		recorder := httptest.NewRecorder()
		metadataOf(testAudience).Handler().ServeHTTP(recorder, httptest.NewRequest(method, "/", nil))
		if recorder.Code != want || recorder.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d, %v", method, recorder.Code, recorder.Header())
		}
	}
	recorder := httptest.NewRecorder()
	Metadata{Resource: testAudience}.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if recorder.Code != http.StatusInternalServerError {
		t.Errorf("metadata without an issuer: %d", recorder.Code)
	}
}

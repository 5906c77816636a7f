package server

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/keywright/keywright/api/jws"
	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/oauth2"
	"github.com/keywright/keywright/verifier/dpop"
)

// maxAge is the Cache-Control of documents. A key is published for longer than this before it signs.
const maxAge = "public, max-age=30"

// jwks serves the public keys (RFC 7517 section 5), even if no key signs.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	key, ok := s.keys.Get()
	if !ok {
		oauth2.Unavailable("no keys are loaded yet", 5).Write(w)
		return
	}
	serveDocument(w, r, "application/jwk-set+json", key.ETag, key.JWKS)
}

// revocationList serves the revocation list to clients with the right to read it, without CORS.
func (s *Server) revocationList(w http.ResponseWriter, r *http.Request) {
	list, refused := s.tokens.RevocationList(r)
	if refused != nil {
		refused.Write(w)
		return
	}
	body := list.Encode()
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Vary", "Authorization")
	writeDocument(w, r, "application/json", strongETag(body), body)
}

// strongETag returns a strong entity tag (RFC 9110 section 8.8.3).
func strongETag(body []byte) string {
	digest := sha256.Sum256(body)
	return fmt.Sprintf(`"%x"`, digest[:16])
}

// serveDocument serves a document to any origin.
func serveDocument(w http.ResponseWriter, r *http.Request, contentType, etag string, body []byte) {
	h := w.Header()
	h.Set("Cache-Control", maxAge)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	writeDocument(w, r, contentType, etag, body)
}

// writeDocument writes a document, or 304 if the ETag matches.
func writeDocument(w http.ResponseWriter, r *http.Request, contentType, etag string, body []byte) {
	h := w.Header()
	h.Set("ETag", etag)
	if matchesETag(r.Header.Get("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", contentType)
	_, _ = w.Write(body) //nolint:gosec // JSON that we made, with nosniff; the error is that of a client that went away
}

// matchesETag evaluates If-None-Match (RFC 9110 section 13.1.2) by weak comparison.
func matchesETag(header, etag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	return slices.ContainsFunc(strings.Split(header, ","), func(candidate string) bool {
		return strings.TrimPrefix(strings.TrimSpace(candidate), "W/") == etag
	})
}

// metadata is the authorization server metadata (RFC 8414 section 2). Empty members are omitted (section 3.2).
type metadata struct {
	Issuer         string   `json:"issuer"`
	TokenEndpoint  string   `json:"token_endpoint"`
	JWKS           string   `json:"jwks_uri"`
	Scopes         []string `json:"scopes_supported,omitempty"`
	ResponseTypes  []string `json:"response_types_supported"`
	GrantTypes     []string `json:"grant_types_supported,omitempty"`
	AuthMethods    []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	AuthAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	// ProofAlgorithms are the algorithms of DPoP proofs (RFC 9449 section 5.1).
	ProofAlgorithms []string `json:"dpop_signing_alg_values_supported,omitempty"`
	// Aliases are the endpoints for clients with certificates (RFC 8705 section 5), which also bind tokens to
	// certificates (section 3.3).
	Aliases           map[string]string `json:"mtls_endpoint_aliases,omitempty"`
	CertificateBound  bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	SubjectTypes      []string          `json:"subject_types_supported"`
	IDTokenAlgorithms []string          `json:"id_token_signing_alg_values_supported"`
}

// serveMetadata serves the metadata, which is also valid for OpenID Connect Discovery. There is no authorization
// endpoint, so the only response type is none.
func (s *Server) serveMetadata(w http.ResponseWriter, r *http.Request) {
	settings, _ := s.config.Get()
	key, ok := s.keys.Get()
	if !ok {
		oauth2.Unavailable("no keys are loaded yet", 5).Write(w)
		return
	}
	m := metadata{
		Issuer: settings.Issuer, TokenEndpoint: settings.TokenEndpoint(), JWKS: strings.TrimSuffix(settings.Issuer, "/") + "/jwks", Scopes: settings.Scopes(), ResponseTypes: []string{"none"},
		GrantTypes: settings.GrantTypes(), AuthMethods: settings.AuthenticationMethods(), SubjectTypes: []string{"public"},
		IDTokenAlgorithms: []string{key.Algorithm},
	}
	if slices.Contains(m.AuthMethods, "private_key_jwt") {
		m.AuthAlgorithms = jws.Names()
	}
	if slices.ContainsFunc(settings.Clients, func(c config.Client) bool { return c.DPoPBoundAccessTokens || c.Refresh != nil }) {
		m.ProofAlgorithms = dpop.Algorithms()
	}
	if mutual := settings.Server.MutualTLS; mutual != nil {
		m.Aliases, m.CertificateBound = map[string]string{"token_endpoint": mutual.URL}, true
	}
	body, err := json.Marshal(m)
	if err != nil {
		oauth2.ServerError("the metadata could not be encoded", "").Write(w)
		return
	}
	serveDocument(w, r, "application/json", strongETag(body), body)
}

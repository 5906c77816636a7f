package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"

	"github.com/keywright/keywright/issuer/token"
)

// jwksMaxAge is how long a reader of /jwks may go on with what it has. A key is published for longer before it signs.
const jwksMaxAge = "public, max-age=30"

// jwks serves the public keys (RFC 7517 section 5), also while nothing is signed.
func (s *Server) jwks(w http.ResponseWriter, r *http.Request) {
	key, ok := s.keys.Get()
	if !ok {
		unavailable("there are no keys yet", 5).write(w)
		return
	}
	h := w.Header()
	h.Set("ETag", key.ETag)
	h.Set("Cache-Control", jwksMaxAge)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if matches(r.Header.Get("If-None-Match"), key.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(key.JWKS)
}

// matches evaluates If-None-Match (RFC 9110 section 13.1.2), by weak comparison.
func matches(header, etag string) bool {
	if strings.TrimSpace(header) == "*" {
		return true
	}
	return slices.ContainsFunc(strings.Split(header, ","), func(candidate string) bool {
		return strings.TrimPrefix(strings.TrimSpace(candidate), "W/") == etag
	})
}

// metadata serves the authorization server metadata (RFC 8414 section 2), which is also what OpenID Connect Discovery
// asks for. There is no authorization endpoint, so the only response type is none.
func (s *Server) metadata(w http.ResponseWriter, _ *http.Request) {
	settings, _ := s.config.Get()
	key, ok := s.keys.Get()
	if !ok {
		unavailable("there are no keys yet", 5).write(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", jwksMaxAge)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	base := strings.TrimSuffix(settings.Issuer, "/")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"issuer":                                settings.Issuer,
		"token_endpoint":                        base + "/token",
		"jwks_uri":                              base + "/jwks",
		"scopes_supported":                      settings.Token.Scopes,
		"response_types_supported":              []string{"none"},
		"grant_types_supported":                 settings.GrantTypes(),
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"},
		"token_endpoint_auth_signing_alg_values_supported": token.Algorithms(),
		"subject_types_supported":                          []string{"public"},
		"id_token_signing_alg_values_supported":            []string{key.Algorithm},
	})
}

// routes lays out the endpoints below the path of the issuer URL. RFC 8414 section 3.1 puts its document before that path,
// OpenID Connect Discovery section 4 behind it.
func (s *Server) routes(issuer string) (http.Handler, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	path := strings.TrimSuffix(u.Path, "/")
	mux := http.NewServeMux()
	scripts := s.crossOrigin()
	mux.Handle("POST "+path+"/token", scripts.Handler(http.HandlerFunc(s.token)))
	mux.Handle("OPTIONS "+path+"/token", scripts.Handler(http.HandlerFunc(options)))
	mux.HandleFunc("GET "+path+"/jwks", s.jwks)
	mux.HandleFunc("GET /.well-known/oauth-authorization-server"+path, s.metadata)
	mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", s.metadata)
	return s.secured(mux), nil
}

// crossOrigin lets scripts of the allowed origins ask for tokens (the Fetch standard's CORS protocol), without credentials:
// no cookie means anything here.
func (s *Server) crossOrigin() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool {
			settings, _ := s.config.Get()
			return slices.Contains(settings.Server.AllowedOrigins, origin)
		},
		AllowedMethods: []string{http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", "Traceparent"},
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate"},
		MaxAge:         600,
	})
}

// options answers what is no preflight request.
func options(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "POST, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
}

// secured sets the headers that keep a browser from taking any answer for something else. While the issuer stops, each
// answer also asks the client to connect anew, elsewhere.
func (s *Server) secured(next http.Handler) http.Handler {
	always := http.Header{ // all answers share the values: nobody changes them in place
		"X-Content-Type-Options":    {"nosniff"},
		"Content-Security-Policy":   {"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"},
		"Referrer-Policy":           {"no-referrer"},
		"Strict-Transport-Security": {"max-age=31536000"},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, always)
		if s.stopping.Load() {
			h.Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

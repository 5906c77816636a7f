package server

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"

	"github.com/keywright/keywright/verifier/dpop"
)

// routes returns the endpoints at the path of the issuer URL. The well-known path of RFC 8414 section 3.1 precedes
// the issuer's path, that of OpenID Connect Discovery section 4 follows it.
func (s *Server) routes(issuer string) http.Handler {
	path := pathOf(issuer)
	mux := http.NewServeMux()
	scripts := s.crossOrigin()
	mux.Handle("POST "+path+"/token", scripts.Handler(s.tokens))
	mux.Handle("OPTIONS "+path+"/token", scripts.Handler(options("POST, OPTIONS")))
	anybody := cors.New(cors.Options{AllowedOrigins: []string{"*"}, AllowedMethods: []string{http.MethodGet}, AllowedHeaders: []string{"*"}, MaxAge: 600})
	for document, serve := range map[string]http.HandlerFunc{
		path + "/jwks": s.jwks, "/.well-known/oauth-authorization-server" + path: s.serveMetadata, path + "/.well-known/openid-configuration": s.serveMetadata,
	} {
		mux.HandleFunc("GET "+document, serve)
		mux.Handle("OPTIONS "+document, anybody.Handler(options("GET, HEAD, OPTIONS")))
	}
	mux.HandleFunc("GET "+path+"/revoked", s.revocationList)
	return s.withSecurityHeaders(s.withRecovery(mux))
}

// pathOf returns the path of the issuer URL.
func pathOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		panic(err) // the configuration is validated
	}
	return strings.TrimSuffix(u.Path, "/")
}

// crossOrigin allows scripts of the allowed origins to request tokens (CORS of the Fetch standard), without
// credentials, because there are no cookies.
func (s *Server) crossOrigin() *cors.Cors {
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool {
			settings, _ := s.config.Get()
			return slices.Contains(settings.Server.AllowedOrigins, origin)
		},
		AllowedMethods: []string{http.MethodPost},
		AllowedHeaders: []string{"Authorization", "Content-Type", dpop.Header, "Traceparent", "Tracestate", "Baggage"}, // the last three are for tracing
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate", dpop.NonceHeader},
		MaxAge:         600,
	})
}

// options responds to OPTIONS requests that are not preflight requests.
func options(allow string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	})
}

// withSecurityHeaders sets security headers on all responses. While the issuer stops, it also asks clients to
// reconnect.
func (s *Server) withSecurityHeaders(next http.Handler) http.Handler {
	always := http.Header{ // shared by all responses, and never modified
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

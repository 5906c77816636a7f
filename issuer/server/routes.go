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

// routes lays out the endpoints below the path of the issuer URL. RFC 8414 section 3.1 puts its document before that path,
// OpenID Connect Discovery section 4 behind it.
func (s *Server) routes(issuer string) http.Handler {
	path := pathOf(issuer)
	mux := http.NewServeMux()
	scripts := s.crossOrigin()
	mux.Handle("POST "+path+"/token", scripts.Handler(s.tokens))
	mux.Handle("OPTIONS "+path+"/token", scripts.Handler(options("POST, OPTIONS")))
	anybody := cors.New(cors.Options{AllowedOrigins: []string{"*"}, AllowedMethods: []string{http.MethodGet}, AllowedHeaders: []string{"*"}, MaxAge: 600})
	for document, serve := range map[string]http.HandlerFunc{
		path + "/jwks": s.jwks, "/.well-known/oauth-authorization-server" + path: s.describe, path + "/.well-known/openid-configuration": s.describe,
	} {
		mux.HandleFunc("GET "+document, serve)
		mux.Handle("OPTIONS "+document, anybody.Handler(options("GET, HEAD, OPTIONS")))
	}
	mux.HandleFunc("GET "+path+"/revoked", s.revocationList)
	return s.secured(s.recovered(mux))
}

// pathOf is the path of the issuer URL, which is one.
func pathOf(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		panic(err) // the configuration was checked
	}
	return strings.TrimSuffix(u.Path, "/")
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
		AllowedHeaders: []string{"Authorization", "Content-Type", dpop.Header, "Traceparent", "Tracestate", "Baggage"}, // the last three are of tracing
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate", dpop.NonceHeader},
		MaxAge:         600,
	})
}

// options answers what is no preflight request.
func options(allow string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		w.WriteHeader(http.StatusNoContent)
	})
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

package server

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/keywright/keywright/issuer/oauth2"
)

// recovered reports a panic to the person on call. net/http would close the connection, and say it at a level that nobody reads.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			failed := recover()
			if failed == nil {
				return
			}
			what := fmt.Sprintf("%T", failed) // a text might quote what a client sent, unless Go itself wrote it
			if err, ok := failed.(runtime.Error); ok {
				what = err.Error()
			}
			s.log.Error("A request panicked", "panic", what, "stack", string(debug.Stack()))
			s.refuse(w, oauth2.ServerError("the request could not be answered", ""))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse answers, and counts, what has not become a token request.
func (s *Server) refuse(w http.ResponseWriter, refused *oauth2.Refusal) {
	s.metrics.requests.WithLabelValues(oauth2.OtherGrant, refused.Code).Inc()
	refused.Write(w)
}

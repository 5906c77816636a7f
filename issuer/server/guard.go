package server

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/keywright/keywright/issuer/oauth2"
)

// withRecovery logs a panic of the handler and responds with an error. net/http would only close the connection.
func (s *Server) withRecovery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			failed := recover()
			if failed == nil {
				return
			}
			what := fmt.Sprintf("%T", failed) // the text of a panic may quote the request, unless it is a runtime error
			if err, ok := failed.(runtime.Error); ok {
				what = err.Error()
			}
			s.log.Error("A request caused a panic", "panic", what, "stack", string(debug.Stack()))
			s.refuse(w, oauth2.ServerError("the server failed to process the request", ""))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse writes an error response, and counts it, for a request that could not be parsed.
func (s *Server) refuse(w http.ResponseWriter, refused *oauth2.Error) {
	s.metrics.requests.WithLabelValues(oauth2.OtherGrant, refused.Code).Inc()
	refused.Write(w)
}

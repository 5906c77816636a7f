package server

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"
)

// maxRequests bounds the requests at a time. Over HTTP/2 a connection carries many, and each holds some 80 KB until it is
// answered, its headers and its body in the first place.
const maxRequests = 1024

// maxStreams bounds the requests at a time on one connection (RFC 9113 section 5.1.2).
const maxStreams = 100

// admitted tells who comes when too many are there already, before it reads anything, to come again.
func (s *Server) admitted(next http.Handler) http.Handler {
	slots := make(chan struct{}, maxRequests)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
			next.ServeHTTP(w, r)
		default:
			s.refuse(w, unavailable("too many requests at once", 1))
		}
	})
}

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
			s.refuse(w, serverError("the request could not be answered", ""))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse answers, and counts, what has not become a token request.
func (s *Server) refuse(w http.ResponseWriter, refused *refusal) {
	s.metrics.requests.WithLabelValues(otherGrant, refused.code).Inc()
	refused.write(w)
}

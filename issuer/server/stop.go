package server

import (
	"context"
	"net/http"
	"time"
)

// shutdownWithin is how long requests in flight may take when the issuer stops.
const shutdownWithin = 10 * time.Second

// drain makes the issuer not ready while it still answers, and asks those who are connected to go elsewhere.
func (s *Server) drain(failed error) {
	s.stopping.Store(true)
	settings, _ := s.config.Get()
	if failed == nil {
		<-time.After(time.Duration(settings.Server.DrainFor))
	}
}

// shutdown finishes the requests in flight. It says so again each second: net/http tells connections of HTTP/2 to go away once,
// and then waits for those that were still being made.
func shutdown(ctx context.Context, server *http.Server) error {
	for {
		again, cancel := context.WithTimeout(ctx, time.Second)
		err := server.Shutdown(again)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

package server

import (
	"context"
	"net/http"
	"time"
)

// shutdownWithin is the time limit for requests in flight when the issuer stops.
const shutdownWithin = 10 * time.Second

// drain makes the issuer not ready while it still serves, and asks clients to reconnect elsewhere.
func (s *Server) drain(failed error) {
	s.stopping.Store(true)
	settings, _ := s.config.Get()
	if failed == nil {
		<-time.After(time.Duration(settings.Server.DrainFor))
	}
}

// shutdown finishes the requests in flight. It repeats the shutdown each second, because net/http sends GOAWAY once,
// and not to HTTP/2 connections that are being established.
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

package server

import (
	"context"
	"time"
)

const (
	// overdueAfter is the delay of a rotation after which it is reported. It is longer than the propagation delay of
	// a pod's files.
	overdueAfter = time.Hour
	// checkAgeEvery is the interval of checks for an overdue rotation.
	checkAgeEvery = time.Minute
)

// rotationOverdue reports whether the signing key should have been replaced. The issuer continues to use it, because
// its tokens are accepted.
func (s *Server) rotationOverdue() bool {
	key, ok := s.keys.Get()
	return ok && !key.NextRotation.IsZero() && s.now().After(key.NextRotation.Add(overdueAfter))
}

// watchAge logs an overdue rotation once per key.
func (s *Server) watchAge(ctx context.Context) {
	ticker := time.NewTicker(checkAgeEvery)
	defer ticker.Stop()
	said := ""
	for {
		if key, ok := s.keys.Get(); ok && s.rotationOverdue() && said != key.KeyID {
			said = key.KeyID
			s.log.Warn("The rotation of the signing key is more than an hour overdue; the key still signs. If the condition RotationOnTime of the SigningKey is True, restart this pod",
				"kid", key.KeyID, "due", key.NextRotation.Format(time.RFC3339))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

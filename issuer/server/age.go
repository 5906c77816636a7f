package server

import (
	"context"
	"time"
)

const (
	// lateBy is by how much a rotation may be late before anybody is told: longer than the files of a pod may lag.
	lateBy = time.Hour
	// checkAgeEvery is how often the age of the signing key is looked at.
	checkAgeEvery = time.Minute
)

// overdue reports whether the signing key should have been replaced. The issuer goes on with it: every token that it signs
// is accepted.
func (s *Server) overdue() bool {
	key, ok := s.keys.Get()
	return ok && !key.NextRotation.IsZero() && s.now().After(key.NextRotation.Add(lateBy))
}

// watchAge says once for each key that it is overdue.
func (s *Server) watchAge(ctx context.Context) {
	ticker := time.NewTicker(checkAgeEvery)
	defer ticker.Stop()
	said := ""
	for {
		if key, ok := s.keys.Get(); ok && s.overdue() && said != key.KeyID {
			said = key.KeyID
			s.log.Warn("The signing key is over an hour past its rotation; signing goes on. Check condition RotationOnTime, else restart this pod",
				"kid", key.KeyID, "due", key.NextRotation.Format(time.RFC3339))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/postgres"
)

// databaseSource names the database in logs and metrics.
const databaseSource = "postgresql"

// tryEvery is how often the database is tried, so that somebody hears of it before a user does.
const tryEvery = 30 * time.Second

// useDatabase tries the query once. Only a query that has to be mended is an error: a database that is down will come back.
func (s *Server) useDatabase(ctx context.Context, d *postgres.Directory) error {
	s.database = d
	s.metrics.addDatabase(d.Connections)
	err := d.Check(ctx)
	var wrong *postgres.WrongQueryError
	if errors.As(err, &wrong) {
		d.Close()
		return fmt.Errorf("users.postgresql.%w", wrong)
	}
	s.tried(err)
	return nil
}

// watchDatabase tries the database until the context ends, and then closes its connections.
func (s *Server) watchDatabase(ctx context.Context) {
	defer s.database.Close()
	ticker := time.NewTicker(tryEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.database.Check(ctx); ctx.Err() == nil && !errors.Is(err, login.ErrBusy) {
				s.tried(err)
			}
		}
	}
}

// tried logs and counts what became of a try, if it is not the same as before.
func (s *Server) tried(err error) {
	if s.databaseTried && s.databaseFails == (err != nil) {
		return
	}
	s.databaseTried, s.databaseFails = true, err != nil
	s.metrics.loaded(databaseSource, err)
	if err != nil {
		s.log.Error("Logins with a password are answered with 503: the database of the users gives no answer. Other grants go on",
			"source", databaseSource, "error", err.Error())
		return
	}
	s.log.Info("The database of the users answers", "source", databaseSource)
}

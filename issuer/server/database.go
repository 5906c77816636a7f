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

// checkDatabaseEvery is the interval of database checks, which find errors before a user logs in.
const checkDatabaseEvery = 30 * time.Second

// connectDatabase checks the query once. It returns an error only if the query is invalid, because an unavailable
// database may recover.
func (s *Server) connectDatabase(ctx context.Context, d *postgres.Directory) error {
	s.database = d
	s.metrics.addDatabase(d.Connections)
	err := d.Check(ctx)
	var wrong *postgres.WrongQueryError
	if errors.As(err, &wrong) {
		d.Close()
		return fmt.Errorf("users.postgresql.%w", wrong)
	}
	s.reportDatabase(err)
	return nil
}

// watchDatabase checks the database until ctx is done, and then closes its connections.
func (s *Server) watchDatabase(ctx context.Context) {
	defer s.database.Close()
	ticker := time.NewTicker(checkDatabaseEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := s.database.Check(ctx); ctx.Err() == nil && !errors.Is(err, login.ErrBusy) {
				s.reportDatabase(err)
			}
		}
	}
}

// reportDatabase logs and counts the result of a check if it has changed.
func (s *Server) reportDatabase(err error) {
	if s.databaseTried && s.databaseFails == (err != nil) {
		return
	}
	s.databaseTried, s.databaseFails = true, err != nil
	s.metrics.observeLoad(databaseSource, err)
	if err != nil {
		s.log.Error("Password logins fail with 503: the database of users cannot be queried. Other grant types still work",
			"source", databaseSource, "error", err.Error())
		return
	}
	s.log.Info("The database of users can be queried", "source", databaseSource)
}

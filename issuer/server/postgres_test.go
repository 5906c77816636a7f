package server_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/postgres/postgrestest"
	"github.com/keywright/keywright/issuer/server"
)

const (
	tablePassword = "canary-user-password"
	tableQuery    = `SELECT id AS subject, hash AS "passwordHash", disabled, scopes, email, level FROM canary_users WHERE name = $1`
)

// database is a PostgreSQL server with the users alice and, whose number looks like a subject of the trusted issuer other, mallory.
func newDatabase(w *world) *postgrestest.Server {
	w.Helper()
	return postgrestest.Start(w.T, fmt.Sprintf(`
CREATE TABLE canary_users (id text, name text PRIMARY KEY, hash text, disabled boolean DEFAULT false, scopes text[] DEFAULT '{read}', email text, level numeric);
INSERT INTO canary_users (id, name, hash, email, level) VALUES ('4711', 'alice', '%[1]s', 'alice@example.com', 9007199254740993.10), ('other:system', 'mallory', '%[1]s', '', 1);
GRANT SELECT ON canary_users TO keywright`, login.HashPassword(tablePassword)))
}

// withDatabase is a configuration whose users are in a database.
func (w *world) withDatabase(config string, s *postgrestest.Server, query string) string {
	return strings.Replace(config, "{file: "+w.users.Directory+"/users.yaml}", fmt.Sprintf(`
  postgresql:
    host: 127.0.0.1
    port: %s
    database: app
    user: keywright
    passwordFile: %s
    caFile: %s
    query: %q`, s.Port, filepath.Join(s.Directory, "password"), filepath.Join(s.Directory, "tls.crt"), query), 1)
}

// The row of a user is in the tokens, as far as the client's claims go, and neither hash nor password is anywhere. When the database is away, logins
// get 503, everything else goes on, and the metrics and the log say it.
func TestUsersOfADatabase(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	s := newDatabase(w)
	config := strings.Replace(w.config(), "{id: web, ", "{id: web, claims: {email: email, level: level}, ", 1)
	w.settings.write(map[string]string{"issuer.yaml": w.withDatabase(config, s, tableQuery) + `
tokenExchange:
- {name: other, issuer: "https://other.example.com", keys: {file: /nowhere}}
`})
	w.useKey("ES256", newKey(t))
	w.start()
	r := w.logInAt("alice", tablePassword)
	if r.status != http.StatusOK {
		t.Fatalf("%d %s\n%s", r.status, r.body, w.log)
	}
	compact := r.fields["access_token"].(string)
	token := w.verify(compact, audience)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	w.must(err)
	if token.Subject() != "4711" || !slices.Equal(token.Scopes(), []string{"read"}) || !strings.Contains(string(payload), `"email":"alice@example.com"`) ||
		!strings.Contains(string(payload), `"level":9007199254740993.10`) {
		t.Errorf("%s", payload)
	}
	said := []string{r.body}
	for name, password := range map[string]string{"alice": "canary-wrong", "canary-name": tablePassword, "mallory": tablePassword, "'; DROP TABLE canary_users; --": tablePassword} {
		r := w.logInAt(name, password)
		if said = append(said, r.body); r.status != http.StatusBadRequest || r.fields["error"] != "invalid_grant" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if m := w.get(w.probes + "/metrics").body; !strings.Contains(m, `keywright_issuer_postgresql_query_duration_seconds_count{result="ok"} 5`) ||
		!strings.Contains(m, `keywright_issuer_source_failing{source="postgresql"} 0`) || !strings.Contains(m, `keywright_issuer_postgresql_connections{state="idle"} 1`) {
		t.Errorf("the metrics say\n%s", m)
	}
	s.Stop()
	for _, name := range []string{"alice", "canary-name"} {
		r := w.logInAt(name, tablePassword)
		if said = append(said, r.body); r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || r.fields["error"] != "temporarily_unavailable" {
			t.Errorf("while the database is down: %d %s", r.status, r.body)
		}
	}
	if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)); r.status != http.StatusOK {
		t.Errorf("another grant: %d %s", r.status, r.body)
	}
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusOK {
		t.Errorf("/readyz: %d", r.status)
	}
	w.until("the metric says it", func() bool {
		return strings.Contains(w.get(w.probes+"/metrics").body, `keywright_issuer_source_failing{source="postgresql"} 1`)
	})
	s.Again()
	if r := w.logInAt("alice", tablePassword); r.status != http.StatusOK {
		t.Errorf("when it is back: %d %s", r.status, r.body)
	}
	for _, text := range append(said, w.log.String(), w.audit.String(), w.get(w.probes+"/metrics").body) {
		if strings.Contains(text, "canary") || strings.Contains(text, postgrestest.Password) || strings.Contains(text, "argon2id") {
			t.Errorf("a secret is in %s", text)
		}
	}
	for _, body := range said {
		if strings.Contains(body, "127.0.0.1") || strings.Contains(body, "SQL") || strings.Contains(body, "keywright") {
			t.Errorf("a client learns of the database: %s", body)
		}
	}
}

// A session goes on with the row as it is now: disabled, gone, or with another password it ends; while the database is away it waits.
func TestSessionsOfADatabase(t *testing.T) {
	t.Parallel()
	w := prepareSessions(t)
	s := newDatabase(w.world)
	w.settings.write(map[string]string{"issuer.yaml": w.withDatabase(w.config()+sessionsConfig(), s, tableQuery)})
	w.useKey("ES256", newKey(t))
	w.start()
	w.mount()
	session := func() (token string) {
		w.until("a session", func() bool {
			token = refreshToken(w.post(form("grant_type", "password", "client_id", "backend", "client_secret", secret, "username", "alice", "password", tablePassword)))
			return token != ""
		})
		return token
	}
	first, second, third := session(), session(), session()
	w.want("the row is as it was", w.refreshWith("backend", first), http.StatusOK, "")
	s.Stop()
	w.want("the database is away", w.refreshWith("backend", first), http.StatusServiceUnavailable, "temporarily_unavailable")
	s.Again()
	w.want("the database is back", w.refreshWith("backend", first), http.StatusOK, "")
	s.SQL("app", "UPDATE canary_users SET disabled = true")
	w.want("disabled", w.refreshWith("backend", first), http.StatusBadRequest, "invalid_grant")
	s.SQL("app", "UPDATE canary_users SET disabled = false, hash = '"+login.HashPassword(tablePassword)+"'")
	w.want("another password", w.refreshWith("backend", second), http.StatusBadRequest, "invalid_grant")
	s.SQL("app", "DELETE FROM canary_users")
	w.want("gone", w.refreshWith("backend", third), http.StatusBadRequest, "invalid_grant")
}

// A query that has to be mended is an error when the issuer starts. A database that is down is none.
func TestQueryIsTriedAtTheStart(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	s := newDatabase(w)
	w.useKey("ES256", newKey(t))
	try := func(query string) error {
		w.settings.write(map[string]string{"issuer.yaml": w.withDatabase(w.config(), s, query)})
		_, err := server.New(context.Background(), w.options())
		return err
	}
	if err := try("SELECT name AS subject FROM canary_users WHERE name = $1"); err == nil || !strings.Contains(err.Error(), "users.postgresql.query: the column passwordHash is missing") {
		t.Errorf("got %v", err)
	}
	s.Stop()
	if err := try("SELECT name AS subject FROM canary_users WHERE name = $1"); err != nil {
		t.Errorf("a database that is down: %v", err)
	}
	if !strings.Contains(w.log.String(), "the database of users cannot be queried") {
		t.Errorf("the log says\n%s", w.log)
	}
}

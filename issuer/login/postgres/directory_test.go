package postgres_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/login/conformance"
	"github.com/keywright/keywright/issuer/login/postgres"
	"github.com/keywright/keywright/issuer/login/postgres/postgrestest"
)

// TestMain is what the binary of the issuer is too: a worker, when it is asked to be one.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{login.WorkerCommand}) {
		if login.Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// people is a table as many have it.
func people() string {
	return fmt.Sprintf(`
CREATE TABLE people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE, email text, hash text, active boolean DEFAULT true, groups text[]);
INSERT INTO people (name, email, hash, active, groups) VALUES
  ('alice', 'alice@example.com', '%[1]s', true, '{engineers,staff}'),
  ('bob', 'bob@example.com', '%[1]s', false, '{}');
GRANT SELECT ON people TO keywright;`, login.HashPassword(conformance.Password))
}

const peopleQuery = `SELECT id AS subject, hash AS "passwordHash", NOT active AS disabled, email, groups FROM people WHERE name = $1`

func settings(s *postgrestest.Server, query string) *config.PostgreSQL {
	return &config.PostgreSQL{
		Host: "127.0.0.1", Port: s.Port, TargetSessionAttrs: "any", Database: "app", User: "keywright", Query: query,
		PasswordFile: filepath.Join(s.Directory, "password"), CAFile: filepath.Join(s.Directory, "tls.crt"),
		Connections: 4, Timeout: config.Duration(20 * time.Second),
	}
}

func open(t *testing.T, settings *config.PostgreSQL) *postgres.Directory {
	t.Helper()
	d, err := postgres.New(t.Context(), settings, postgres.Options{Hasher: login.NewHasher(8, 1<<30), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func TestConformance(t *testing.T) {
	d := open(t, settings(postgrestest.Start(t, people()), peopleQuery))
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	conformance.Test(t, d)
}

// Every kind of value comes as JSON has it, with all its digits, whatever the role is set to.
func TestValues(t *testing.T) {
	s := postgrestest.Start(t, `ALTER ROLE keywright SET datestyle = 'SQL, DMY'; ALTER ROLE keywright SET timezone = 'Asia/Tokyo';
ALTER ROLE keywright SET extra_float_digits = -10; CREATE TYPE mood AS ENUM ('fine'); CREATE DOMAIN short AS varchar(9); CREATE EXTENSION citext`)
	for expression, want := range map[string]string{
		`'x'::text`: `"x"`, `'it''s "é" \'`: `"it's \"é\" \\"`, `'x'::varchar`: `"x"`, `'x'::short`: `"x"`, `'fine'::mood`: `"fine"`, `'X'::citext`: `"X"`,
		`true`: `true`, `false`: `false`, `null::text`: ``, `7::smallint`: `7`, `9223372036854775807`: `9223372036854775807`,
		`12345678901234567890.12345678901234567890::numeric`: `12345678901234567890.12345678901234567890`, `1.10::numeric`: `1.10`,
		`0.1::float8`: `0.1`, `3.141592653589793::float8`: `3.141592653589793`, `1e300::float8`: `1e+300`, `'NaN'::float8`: `"NaN"`, `'infinity'::numeric`: `"Infinity"`,
		`'{a,NULL,"b,c"}'::text[]`: `["a",null,"b,c"]`, `'{}'::text[]`: `[]`, `'{1,9007199254740993}'::bigint[]`: `[1,9007199254740993]`, `'{t,f}'::bool[]`: `[true,false]`,
		`'{"a": [1.50, null, {"b": 9007199254740993}]}'::json`: `{"a":[1.50,null,{"b":9007199254740993}]}`, `'"x"'::jsonb`: `"x"`,
		`'2026-01-31 12:00:00.25+02'::timestamptz`: `"2026-01-31T10:00:00.25Z"`, `'2026-01-31 12:00:00'::timestamp`: `"2026-01-31T12:00:00"`,
		`'infinity'::timestamptz`: `"infinity"`, `'2026-01-31'::date`: `"2026-01-31"`, `'{2026-01-31 12:00:00+00}'::timestamptz[]`: `["2026-01-31T12:00:00Z"]`,
		`'6e1f8e4c-0000-4000-8000-000000000000'::uuid`: `"6e1f8e4c-0000-4000-8000-000000000000"`, `'10.0.0.1'::inet`: `"10.0.0.1"`,
		`current_setting('statement_timeout')`: `"20s"`, `current_setting('transaction_read_only')`: `"on"`, `current_setting('application_name')`: `"keywright-issuer"`,
	} {
		d := open(t, settings(s, `SELECT 'a1' AS subject, 'x' AS passwordHash, `+expression+` AS v WHERE $1 = 'alice'`))
		if err := d.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		user, err := d.Lookup(t.Context(), "alice")
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		got := ""
		if v, there := user.Attributes["v"]; there {
			b, err := json.Marshal(v)
			got = string(b)
			if err != nil {
				t.Errorf("%s: %v", expression, err)
			}
		}
		if got != want {
			t.Errorf("%s is %s, not %s", expression, got, want)
		}
	}
}

// What is null was not allowed, and the reason of a refusal is in the audit log.
func TestRows(t *testing.T) {
	s := postgrestest.Start(t, "")
	hash := login.HashPassword(conformance.Password)
	weak := "pbkdf2_sha256$1000$pepperSaltAndMore22chr$dubQcZJmpHGXDGWjAmoTWquvDgDTkYtJZ56IbuyKjwo="
	for name, c := range map[string]struct {
		row, reason, subject string
		scopes               []string
	}{
		"right":                     {"'a1' AS subject, '" + hash + "' AS passwordHash", "", "a1", nil},
		"columns in any case":       {`'a1' AS "Subject", '` + hash + `' AS "PASSWORDHASH", false AS "Disabled"`, "", "a1", nil},
		"a number":                  {"17 AS subject, '" + hash + "' AS passwordHash", "", "17", nil},
		"no subject":                {"null::text AS subject, '" + hash + "' AS passwordHash", postgres.UnusableSubject, "", nil},
		"a subject like a client's": {"'client:x' AS subject, '" + hash + "' AS passwordHash", postgres.UnusableSubject, "", nil},
		"no hash":                   {"'a1' AS subject, null::text AS passwordHash", postgres.NoPassword, "a1", nil},
		"a weak hash":               {"'a1' AS subject, '" + weak + "' AS passwordHash", postgres.UnusableHash, "a1", nil},
		"a password as it is":       {"'a1' AS subject, '" + strings.ReplaceAll(conformance.Password, "'", "''") + "' AS passwordHash", postgres.UnusableHash, "a1", nil},
		"disabled":                  {"'a1' AS subject, '" + hash + "' AS passwordHash, true AS disabled", login.DisabledUser, "a1", nil},
		"perhaps disabled":          {"'a1' AS subject, '" + hash + "' AS passwordHash, null::bool AS disabled", login.DisabledUser, "a1", nil},
		"scopes":                    {"'a1' AS subject, '" + hash + "' AS passwordHash, '{read,NULL,write}'::text[] AS scopes", "", "a1", []string{"read", "write"}},
		"no scopes":                 {"'a1' AS subject, '" + hash + "' AS passwordHash, null::text[] AS scopes", "", "a1", []string{}},
		"several rows":              {"'a1' AS subject, '" + hash + "' AS passwordHash FROM generate_series(1, 2)", postgres.Several, "", nil},
		"many rows":                 {"'a1' AS subject, '" + hash + "' AS passwordHash FROM generate_series(1, 100000)", postgres.Several, "", nil},
		"no row":                    {"'a1' AS subject, '" + hash + "' AS passwordHash FROM generate_series(1, 0)", login.UnknownUser, "", nil},
		"a hidden member":           {"'a1' AS subject, '" + hash + `' AS passwordHash, '{"a": {"apiKey": 1}}'::json AS more`, "the column more has a member apiKey, which is the name of a secret", "a1", nil},
		"dimensions":                {"'a1' AS subject, '" + hash + "' AS passwordHash, '{{a},{b}}'::text[] AS more", "the column more is an array of 2 dimensions: use to_json", "a1", nil},
	} {
		query := "SELECT " + c.row + " WHERE $1 = 'alice'"
		if strings.Contains(c.row, " FROM ") {
			query = "SELECT * FROM (SELECT " + c.row + ") AS r WHERE $1 = 'alice'"
		}
		d := open(t, settings(s, query))
		if err := d.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		user, err := d.Authenticate(t.Context(), "alice", conformance.Password)
		var denied *login.Denied
		switch {
		case c.reason != "" && (!errors.As(err, &denied) || denied.Reason != c.reason || denied.Subject != c.subject):
			t.Errorf("%s: %v", name, err)
		case c.reason == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.reason == "" && (user.Subject != c.subject || user.Credential != login.CredentialOf(hash) || cmp.Diff(user.Scopes, c.scopes) != ""):
			t.Errorf("%s: %+v", name, user)
		}
		// Who is looked up without a password is refused for the same reasons, but for those of the password.
		_, err = d.Lookup(t.Context(), "alice")
		want := c.reason
		if want == postgres.NoPassword || want == postgres.UnusableHash {
			want = ""
		}
		if !errors.As(err, &denied) && err != nil || (err == nil) != (want == "") || err != nil && denied.Reason != want {
			t.Errorf("%s, looked up: %v", name, err)
		}
		// A connection that was broken off is replaced.
		if _, err := d.Authenticate(t.Context(), "mallory", conformance.Password); !errors.As(err, &denied) || denied.Reason != login.UnknownUser {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// A query that cannot be used is an error that says what to mend, when the server has prepared it.
func TestCheck(t *testing.T) {
	s := postgrestest.Start(t, people()+`
CREATE TABLE log (name text); GRANT ALL ON log TO keywright; CREATE TABLE hidden (id text); CREATE TYPE mood AS ENUM ('fine');
CREATE EXTENSION citext; CREATE TABLE mails (mail citext); GRANT SELECT ON mails TO keywright;
CREATE FUNCTION note(name text) RETURNS text AS $$ INSERT INTO log VALUES (name) RETURNING name $$ LANGUAGE sql;`)
	const own = "'a1' AS subject, 'x' AS passwordHash"
	for query, want := range map[string]string{
		peopleQuery: "",
		"SELECT " + own + " FROM people WHERE name = $1::text; ":                    "",
		"SELECT " + own + " FROM mails WHERE mail = $1":                             "",
		"SELECT id FROM people WHERE name = $1":                                     "the column subject is missing: name it with AS subject\nthe column passwordHash is missing: name it with AS passwordHash",
		"SELECT id AS subject FROM people WHERE name = $1":                          "the column passwordHash is missing",
		"SELECT " + own + " FROM people WHERE name = '$1'":                          "must have exactly one parameter, $1, but has 0",
		"SELECT " + own + " FROM people WHERE name = $1 OR email = $2":              "must have exactly one parameter, $1, but has 2",
		"SELECT " + own + ", id AS Subject FROM people WHERE name = $1":             "there are two columns subject",
		"SELECT " + own + ", email AS e, name AS e FROM people WHERE name = $1":     "there are two columns e",
		"SELECT " + own + ", email AS iss FROM people WHERE name = $1":              "the column iss has a name that is reserved",
		"SELECT " + own + ", hash FROM people WHERE name = $1":                      "the column hash looks like a secret, by its name",
		"SELECT " + own + ", email AS scopes FROM people WHERE name = $1":           "the column scopes must be an array, like scopes::text[]",
		"SELECT " + own + ", 1 AS disabled FROM people WHERE name = $1":             "the column disabled must be a boolean",
		"SELECT " + own + ", '{fine}'::mood[] AS moods FROM people WHERE name = $1": "the column moods is an array of a type that is not built in: cast it, like moods::text[]",
		"SELECT " + own + " FROM people WHERE name = $1 OR true":                    "returns a row for a name that does not exist",
		"SELECT " + own + " FROM people WHERE $1 IS NOT NULL":                       "could not determine data type of parameter $1",
		"SELECT " + own + " FROM nowhere WHERE name = $1":                           `relation "nowhere" does not exist`,
		"SELECT " + own + " FROM hidden WHERE id = $1":                              "permission denied for table hidden",
		"SELECT " + own + ", age FROM people WHERE name = $1":                       `column "age" does not exist`,
		"SELEKT $1": "syntax error",
		"SELECT 1; DELETE FROM people WHERE name = $1":                                                   "cannot insert multiple commands",
		"INSERT INTO log VALUES ($1) RETURNING " + own:                                                   "cannot execute INSERT in a read-only transaction",
		"WITH w AS (INSERT INTO log VALUES ($1) RETURNING name) SELECT " + own + " FROM w WHERE name=$1": "cannot execute SELECT in a read-only transaction",
		"SELECT " + own + " FROM people WHERE note($1) = name":                                           "cannot execute INSERT in a read-only transaction",
		"SELECT " + own + " FROM people WHERE name = $1 FOR UPDATE":                                      "cannot execute SELECT FOR UPDATE in a read-only transaction",
		"SELECT " + own + " FROM generate_series(1, 9) AS n WHERE n = $1":                                "compares $1 with a value of type int4, but $1 is the user name, which is text",
	} {
		err := open(t, settings(s, query)).Check(t.Context())
		var wrong *postgres.WrongQueryError
		if (want == "") != (err == nil) || err != nil && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\n  %v", query, err)
		}
	}
	if n := s.SQL("app", "SELECT count(*) FROM log"); n != "0" {
		t.Errorf("%s rows were written", n)
	}
}

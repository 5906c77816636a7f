package postgres

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keywright/keywright/issuer/login"
)

// row is the result row of a user, with values in text format.
type row struct {
	*columns
	fields []pgconn.FieldDescription
	values [][]byte
}

// errSeveral is returned if more than one row has the name.
var errSeveral = errors.New("several rows")

// queryUser runs the query in a read-only transaction, and returns the single row, nil if there is none.
func (d *Directory) queryUser(ctx context.Context, conn *pgx.Conn, name string) (*row, error) {
	timeout := time.Duration(d.settings.Timeout)
	// The server also cancels the query after the timeout, and formats values independently of the settings of the
	// role.
	begin := fmt.Sprintf("BEGIN READ ONLY; SET LOCAL statement_timeout = %d; SET LOCAL datestyle = 'ISO'; SET LOCAL timezone = 'UTC'; "+
		"SET LOCAL extra_float_digits = 1", max(timeout/time.Millisecond, 1))
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return nil, err
	}
	found, err := d.read(ctx, tx, name)
	if err != nil {
		return nil, err // the pool closes a connection that is in a transaction
	}
	return found, tx.Commit(ctx)
}

// read reads at most two rows. QueryExecModeExec needs one round trip and no prepared statement, which a connection
// pooler may lose.
func (d *Directory) read(ctx context.Context, tx pgx.Tx, name string) (*row, error) {
	rows, err := tx.Query(ctx, d.settings.Query, pgx.QueryExecModeExec, name)
	if err != nil {
		return nil, err
	}
	var found *row
	for rows.Next() {
		if found != nil {
			return nil, errSeveral
		}
		found = &row{fields: rows.FieldDescriptions()}
		for _, v := range rows.RawValues() {
			if v != nil {
				v = append([]byte{}, v...)
			}
			found.values = append(found.values, v)
		}
	}
	rows.Close()
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if found != nil {
		if found.columns, err = columnsOf(found.fields); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// WrongQueryError is returned if the query is invalid, whatever the state of the server.
type WrongQueryError struct{ err error }

func (e *WrongQueryError) Error() string { return "query: " + e.err.Error() }

// Unwrap returns the cause.
func (e *WrongQueryError) Unwrap() error { return e.err }

// Check connects, prepares the query, and runs it with a random name. It returns a *WrongQueryError if the query or
// the rights of the role must be changed, ErrBusy if all connections are in use, and any other error if the server is
// not available.
func (d *Directory) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	conn, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := d.check(ctx, conn.Conn()); err != nil {
		return classify(err)
	}
	return nil
}

func (d *Directory) check(ctx context.Context, conn *pgx.Conn) error {
	statement, err := conn.PgConn().Prepare(ctx, "", d.settings.Query, nil)
	if err != nil {
		return err
	}
	if n := len(statement.ParamOIDs); n != 1 {
		return &WrongQueryError{fmt.Errorf("must have exactly one parameter, $1, but has %d", n)}
	}
	if of, known := pgtype.NewMap().TypeForOID(statement.ParamOIDs[0]); known && !slices.Contains(nameTypes(), of.OID) {
		return &WrongQueryError{fmt.Errorf("compares $1 with a value of type %s, but $1 is the user name, which is text: compare it with text", of.Name)}
	}
	if _, err := columnsOf(statement.Fields); err != nil {
		return &WrongQueryError{err}
	}
	if err := checkArrayTypes(ctx, conn, statement.Fields); err != nil {
		return err
	}
	found, err := d.queryUser(ctx, conn, rand.Text())
	if found != nil || errors.Is(err, errSeveral) {
		return &WrongQueryError{errors.New("returns a row for a name that does not exist: compare a column with $1")}
	}
	return err
}

// nameTypes returns the supported types of the parameter, in addition to types of extensions like citext.
func nameTypes() []uint32 {
	return []uint32{pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID}
}

// checkArrayTypes rejects arrays of types of extensions and users, whose elements cannot be parsed.
func checkArrayTypes(ctx context.Context, conn *pgx.Conn, fields []pgconn.FieldDescription) error {
	for i := range fields {
		if _, known := pgtype.NewMap().TypeForOID(fields[i].DataTypeOID); known {
			continue
		}
		var category string
		const lookUp = "SELECT typcategory::text FROM pg_catalog.pg_type WHERE oid = $1"
		if err := conn.QueryRow(ctx, lookUp, pgx.QueryExecModeExec, fields[i].DataTypeOID).Scan(&category); err != nil {
			return err
		}
		if category == "A" {
			return &WrongQueryError{fmt.Errorf("the column %[1]s is an array of a type that is not built in: cast it, like %[1]s::text[]", fields[i].Name)}
		}
	}
	return nil
}

// classify returns a *WrongQueryError for server errors about the statement and rights (classes 42, 22, 0A and 25 of
// PostgreSQL's appendix A).
func classify(err error) error {
	var wrong *WrongQueryError
	if errors.As(err, &wrong) {
		return wrong
	}
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		return downError(err)
	}
	switch class := said.Code[:min(2, len(said.Code))]; class {
	case "42", "22", "0A", "25":
		return &WrongQueryError{fmt.Errorf("%s (SQLSTATE %s)%s", said.Message, said.Code, advice(said))}
	}
	return downError(err)
}

// advice returns the hint of the server, or a hint for known error codes (PostgreSQL's appendix A).
func advice(said *pgconn.PgError) string {
	switch {
	case said.Hint != "":
		return ": " + said.Hint
	case said.Code == "42501": // insufficient_privilege
		return ": GRANT SELECT on each column that the query reads, or on the table, to the role"
	case said.Code == "42P01": // undefined_table
		return ": if the table is there, GRANT USAGE on its schema to the role, and name the schema in the query"
	}
	return ""
}

// FieldOf returns the field of users.postgresql that caused an error of Check, with a leading dot, or "".
func FieldOf(err error) string {
	var said *pgconn.PgError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &said) && said.Code == "28P01": // invalid_password
		return ".passwordFile"
	case errors.As(err, &said) && said.Code == "3D000": // invalid_catalog_name
		return ".database"
	case errors.As(err, &name):
		return ".host"
	case errors.As(err, &authority):
		return ".caFile"
	}
	return ""
}

// downError returns an ErrDown that may be logged: errors of the library contain hosts, users and databases, but no
// password.
func downError(err error) error { return fmt.Errorf("%w: %w", login.ErrDown, err) }

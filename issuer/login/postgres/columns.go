package postgres

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keywright/keywright/issuer/token"
)

// The columns with a fixed meaning. Case is ignored, because PostgreSQL converts unquoted names to lower case.
const (
	subjectColumn  = "subject"
	hashColumn     = "passwordHash"
	disabledColumn = "disabled"
	scopesColumn   = "scopes"
)

// columns are the positions of the columns in a row.
type columns struct {
	subject, hash int
	// disabled and scopes are -1 if the query does not return them.
	disabled, scopes int
	// attributes are the positions of all other columns, by name.
	attributes map[string]int
}

// columnsOf returns the columns of a row description. The error contains every missing or unusable column.
func columnsOf(fields []pgconn.FieldDescription) (*columns, error) {
	c := &columns{subject: -1, hash: -1, disabled: -1, scopes: -1, attributes: map[string]int{}}
	var wrong []error
	own := map[string]*int{subjectColumn: &c.subject, hashColumn: &c.hash, disabledColumn: &c.disabled, scopesColumn: &c.scopes}
	for i := range fields {
		name, position := fields[i].Name, (*int)(nil)
		for known, at := range own {
			if strings.EqualFold(known, name) {
				name, position = known, at
			}
		}
		_, again := c.attributes[name]
		switch {
		case again || position != nil && *position >= 0:
			wrong = append(wrong, fmt.Errorf("there are two columns %s", name))
		case position != nil:
			*position = i
			wrong = append(wrong, checkType(name, fields[i].DataTypeOID))
		default:
			c.attributes[name] = i
			wrong = append(wrong, checkAttributeName(name))
		}
	}
	for _, required := range []string{subjectColumn, hashColumn} {
		if *own[required] < 0 {
			wrong = append(wrong, fmt.Errorf("the column %s is missing: name it with AS %s", required, required))
		}
	}
	return c, errors.Join(wrong...)
}

// checkType checks the type of a column with a fixed meaning.
func checkType(name string, oid uint32) error {
	switch name {
	case disabledColumn:
		if oid != pgtype.BoolOID {
			return errors.New("the column disabled must be a boolean")
		}
	case scopesColumn:
		if elementType(oid) == 0 {
			return errors.New("the column scopes must be an array, like scopes::text[]")
		}
	}
	return nil
}

// checkAttributeName checks the name of an attribute.
func checkAttributeName(name string) error {
	switch {
	case token.Reserved(name):
		return fmt.Errorf("the column %s has a name that is reserved for the issuer: rename it with AS", name)
	case token.Forbidden(name):
		return fmt.Errorf("the column %s looks like a secret, by its name: leave it out, because anyone who has a token can read its claims", name)
	}
	return nil
}

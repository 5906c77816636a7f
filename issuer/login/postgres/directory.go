package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/token"
)

// Reasons of a login that is denied although the password may be right.
const (
	// Several means that the query returns more than one row for a name.
	Several = "several rows match users.postgresql.query"
	// NoPassword means that the hash of the password is null or empty.
	NoPassword = "the user has no password"
	// UnusableHash means that the hash is of no scheme that is read, or has too few rounds.
	UnusableHash = "the hash of the user's password cannot be used"
	// UnusableSubject means that the row has no subject, or one that is no printable text.
	UnusableSubject = "the row has no usable subject"
)

// Directory is a login.Directory of the rows of a database.
type Directory struct {
	settings  *config.PostgreSQL
	pool      *pgxpool.Pool
	passwords *login.Passwords
	now       func() time.Time
	// asked is told of each query how long it took, and its error.
	asked func(took time.Duration, err error)
}

var _ login.Directory = (*Directory)(nil)

// Options are what a Directory needs beside its settings.
type Options struct {
	// Hasher compares passwords.
	Hasher *login.Hasher
	Now    func() time.Time
	// Asked is told of each query how long it took, and its error. It may be nil.
	Asked func(took time.Duration, err error)
}

// New returns a Directory. Nothing is connected before the first query.
func New(ctx context.Context, settings *config.PostgreSQL, o Options) (*Directory, error) {
	pool, err := newPool(ctx, settings)
	if err != nil {
		return nil, err
	}
	if o.Asked == nil {
		o.Asked = func(time.Duration, error) {}
	}
	return &Directory{settings: settings, pool: pool, passwords: login.NewPasswords(o.Hasher), now: o.Now, asked: o.Asked}, nil
}

// Close closes all connections. It waits for queries that run.
func (d *Directory) Close() { d.pool.Close() }

// Connections are how many connections are in use, how many are idle, and how many there may be.
func (d *Directory) Connections() (used, idle, most int32) {
	s := d.pool.Stat()
	return s.AcquiredConns(), s.IdleConns(), s.MaxConns()
}

// Authenticate compares a password with the hash of the one row of a name. An unknown name, a row without a hash, a wrong password and a disabled
// user cost the same time, that of the costliest hash that was seen, if all hashes have the same parameters.
func (d *Directory) Authenticate(ctx context.Context, name, password string) (*login.User, error) {
	name, password, ok := login.Prepare(name, password)
	if !ok {
		return nil, &login.Denied{Reason: login.WrongPassword}
	}
	found, several, err := d.find(ctx, name)
	if err != nil {
		return nil, err
	}
	hash := ""
	if found != nil {
		hash = string(found.values[found.hash])
	}
	matches, err := d.passwords.Match(ctx, hash, password)
	unusable := errors.Is(err, login.ErrUnusableHash)
	if err != nil && !unusable {
		return nil, err
	}
	switch {
	case several:
		return nil, &login.Denied{Reason: Several}
	case found == nil:
		return nil, &login.Denied{Reason: login.UnknownUser}
	}
	user, denied := found.user()
	switch {
	case unusable:
		return nil, &login.Denied{Subject: user.Subject, Reason: UnusableHash}
	case hash == "":
		return nil, &login.Denied{Subject: user.Subject, Reason: NoPassword}
	case !matches:
		return nil, &login.Denied{Subject: user.Subject, Reason: login.WrongPassword}
	case denied != nil:
		return nil, denied
	}
	return user, nil
}

// Lookup reads the row of a name, without a password.
func (d *Directory) Lookup(ctx context.Context, name string) (*login.User, error) {
	name, err := login.PrepareName(name)
	if err != nil {
		return nil, &login.Denied{Reason: login.UnknownUser}
	}
	found, several, err := d.find(ctx, name)
	switch {
	case err != nil:
		return nil, err
	case several:
		return nil, &login.Denied{Reason: Several}
	case found == nil:
		return nil, &login.Denied{Reason: login.UnknownUser}
	}
	user, denied := found.user()
	if denied != nil {
		return nil, denied
	}
	return user, nil
}

// find returns the row of a name, nil if there is none or several. The errors are ErrBusy and ErrDown.
func (d *Directory) find(ctx context.Context, name string) (found *row, several bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	began := d.now()
	defer func() {
		if !errors.Is(err, login.ErrBusy) {
			d.asked(d.now().Sub(began), err)
		}
	}()
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Release()
	found, err = d.ask(ctx, conn.Conn(), name)
	if errors.Is(err, errSeveral) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, withoutPassword(err)
	}
	return found, false, nil
}

// acquire returns a connection, until the deadline of the context. The errors are ErrBusy, if all are in use, and ErrDown.
func (d *Directory) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := d.pool.Acquire(ctx)
	if used, _, most := d.Connections(); err != nil && ctx.Err() != nil && used == most {
		return nil, login.ErrBusy
	}
	if err != nil {
		return nil, withoutPassword(err)
	}
	return conn, nil
}

// user is the user of a row, with at least a subject if that can be used, and why the user may not log in.
func (r *row) user() (*login.User, *login.Denied) {
	u := &login.User{Subject: string(r.values[r.subject]), Attributes: map[string]any{}, Credential: login.CredentialOf(string(r.values[r.hash]))}
	if !token.IsSubject(u.Subject) {
		u.Subject = ""
		return u, &login.Denied{Reason: UnusableSubject}
	}
	// What is null is nothing that was allowed.
	if r.disabled >= 0 && string(r.values[r.disabled]) != "f" {
		return u, &login.Denied{Subject: u.Subject, Reason: login.DisabledUser}
	}
	if r.scopes >= 0 {
		u.Scopes = []string{}
		if text := r.values[r.scopes]; text != nil {
			scopes, err := list(elementOf(r.fields[r.scopes].DataTypeOID), text)
			if err != nil {
				return u, &login.Denied{Subject: u.Subject, Reason: fmt.Sprintf("the column scopes %v", err)}
			}
			u.Scopes = texts(scopes)
		}
	}
	for name, at := range r.attributes {
		if r.values[at] == nil {
			continue
		}
		v, err := value(r.fields[at].DataTypeOID, r.values[at])
		if hidden, found := token.FindForbidden(v); err == nil && found {
			err = fmt.Errorf("has a member %s, whose name is like that of a secret", hidden)
		}
		if err != nil {
			return u, &login.Denied{Subject: u.Subject, Reason: fmt.Sprintf("the column %s %v", name, err)}
		}
		u.Attributes[name] = v
	}
	return u, nil
}

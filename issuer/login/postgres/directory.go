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

// The reasons for denying a login even though the password may be right.
const (
	// Several means that the query returns more than one row for a name.
	Several = "several rows match users.postgresql.query"
	// NoPassword means that the password hash is null or empty.
	NoPassword = "the user has no password"
	// UnusableHash means that the hash has an unsupported scheme, or too few rounds.
	UnusableHash = "the hash of the user's password cannot be used"
	// UnusableSubject means that the row has no subject, or one that is not printable text.
	UnusableSubject = "the row has no usable subject"
)

// Directory is a login.Directory that reads users from a database.
type Directory struct {
	settings  *config.PostgreSQL
	pool      *pgxpool.Pool
	passwords *login.Passwords
	now       func() time.Time
	// observeQuery is called after each query with its duration and error.
	observeQuery func(took time.Duration, err error)
}

var _ login.Directory = (*Directory)(nil)

// Options are the dependencies of a Directory.
type Options struct {
	// Hasher compares passwords.
	Hasher *login.Hasher
	Now    func() time.Time
	// ObserveQuery is called after each query with its duration and error. It may be nil.
	ObserveQuery func(took time.Duration, err error)
}

// New returns a Directory. It connects at the first query.
func New(ctx context.Context, settings *config.PostgreSQL, o Options) (*Directory, error) {
	pool, err := newPool(ctx, settings)
	if err != nil {
		return nil, err
	}
	if o.ObserveQuery == nil {
		o.ObserveQuery = func(time.Duration, error) {}
	}
	return &Directory{settings: settings, pool: pool, passwords: login.NewPasswords(o.Hasher), now: o.Now, observeQuery: o.ObserveQuery}, nil
}

// Close closes all connections, after running queries have finished.
func (d *Directory) Close() { d.pool.Close() }

// Connections returns the numbers of used and idle connections, and the maximum.
func (d *Directory) Connections() (used, idle, most int32) {
	s := d.pool.Stat()
	return s.AcquiredConns(), s.IdleConns(), s.MaxConns()
}

// Authenticate compares a password with the hash in the row of a user. An unknown name, a row without a hash, a wrong
// password and a disabled user take the same time, that of the most expensive hash seen so far, if all hashes have
// the same parameters.
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

// Lookup returns a user without checking a password.
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

// find returns the row with a name, nil if there is none or several. The errors are ErrBusy and ErrDown.
func (d *Directory) find(ctx context.Context, name string) (found *row, several bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	began := d.now()
	defer func() {
		if !errors.Is(err, login.ErrBusy) {
			d.observeQuery(d.now().Sub(began), err)
		}
	}()
	conn, err := d.acquire(ctx)
	if err != nil {
		return nil, false, err
	}
	defer conn.Release()
	found, err = d.queryUser(ctx, conn.Conn(), name)
	if errors.Is(err, errSeveral) {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, downError(err)
	}
	return found, false, nil
}

// acquire returns a connection before the deadline of ctx. The errors are ErrBusy, if all are in use, and ErrDown.
func (d *Directory) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := d.pool.Acquire(ctx)
	if used, _, most := d.Connections(); err != nil && ctx.Err() != nil && used == most {
		return nil, login.ErrBusy
	}
	if err != nil {
		return nil, downError(err)
	}
	return conn, nil
}

// user returns the user of a row and, if the user may not log in, the reason. The user has a subject if it is usable.
func (r *row) user() (*login.User, *login.Denied) {
	u := &login.User{Subject: string(r.values[r.subject]), Attributes: map[string]any{}, Credential: login.CredentialOf(string(r.values[r.hash]))}
	if !token.IsSubject(u.Subject) {
		u.Subject = ""
		return u, &login.Denied{Reason: UnusableSubject}
	}
	// Null means disabled.
	if r.disabled >= 0 && string(r.values[r.disabled]) != "f" {
		return u, &login.Denied{Subject: u.Subject, Reason: login.DisabledUser}
	}
	if r.scopes >= 0 {
		u.Scopes = []string{}
		if text := r.values[r.scopes]; text != nil {
			scopes, err := parseArray(elementType(r.fields[r.scopes].DataTypeOID), text)
			if err != nil {
				return u, &login.Denied{Subject: u.Subject, Reason: fmt.Sprintf("the column scopes %v", err)}
			}
			u.Scopes = toStrings(scopes)
		}
	}
	for name, at := range r.attributes {
		if r.values[at] == nil {
			continue
		}
		v, err := parseValue(r.fields[at].DataTypeOID, r.values[at])
		if hidden, found := token.FindForbidden(v); err == nil && found {
			err = fmt.Errorf("has a member %s, which is the name of a secret", hidden)
		}
		if err != nil {
			return u, &login.Denied{Subject: u.Subject, Reason: fmt.Sprintf("the column %s %v", name, err)}
		}
		u.Attributes[name] = v
	}
	return u, nil
}

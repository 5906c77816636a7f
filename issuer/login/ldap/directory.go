package ldap

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/token"
)

// The reasons for denying a login even though the password may be right.
const (
	// Refused is followed by the name of the LDAP result (RFC 4511 section 4.1.9), for example for a locked account.
	// The diagnostic message is omitted, because it may contain anything.
	Refused = "refused by the directory: "
	// Several means that more than one entry has the name.
	Several = "several entries match users.ldap.users.filter"
	// TooManyGroups means that not all groups of the user could be read. Permissions may depend on any of them.
	TooManyGroups = "the user is in too many groups, or in groups that are nested too deeply"
)

// Directory is a login.Directory that searches for the user and binds with the password (RFC 4513 section 5.1.3).
type Directory struct {
	settings *config.LDAP
	pool     *pool
}

var _ login.Directory = (*Directory)(nil)

// New returns a Directory. It connects at the first login.
func New(settings *config.LDAP) *Directory {
	return &Directory{settings: settings, pool: newPool(settings)}
}

// Close closes idle connections.
func (d *Directory) Close() { d.pool.close() }

// Authenticate searches for the user, binds with the password, and reads attributes and groups. An unknown name
// causes a bind too. The password is tried once, because directories count failures. The bind is not canceled with
// ctx, so that a client cannot cancel an attempt before it is counted.
func (d *Directory) Authenticate(ctx context.Context, name, password string) (*login.User, error) {
	name, password, ok := login.Prepare(name, password)
	if !ok { // a bind without a password succeeds (RFC 4513 section 5.1.2)
		return nil, &login.Denied{Reason: login.WrongPassword}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	c, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	user, err := d.logIn(c, name, password)
	return d.release(c, user, err)
}

// Lookup searches for the user, and reads attributes and groups. There is no bind that detects a locked account: the
// filter must exclude it.
func (d *Directory) Lookup(ctx context.Context, name string) (*login.User, error) {
	name, err := login.PrepareName(name)
	if err != nil {
		return nil, &login.Denied{Reason: login.UnknownUser}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	c, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	entry, none, err := d.find(c, name)
	var user *login.User
	switch {
	case err != nil:
	case entry == nil:
		err = &login.Denied{Reason: none}
	default:
		user, err = d.readUser(c, entry)
	}
	return d.release(c, user, err)
}

// release returns the connection to the pool.
func (d *Directory) release(c *conn, user *login.User, err error) (*login.User, error) {
	broken := err != nil && !errors.Is(err, login.ErrDenied)
	d.pool.put(c, broken)
	if broken {
		return nil, fmt.Errorf("%w: %w", login.ErrDown, err)
	}
	return user, err
}

// connect returns a connection that is bound as the searching account. The bind detects a dead connection, which is
// then replaced.
func (d *Directory) connect(ctx context.Context) (*conn, error) {
	for fresh := false; ; fresh = true {
		c, reused, err := d.pool.get(ctx, fresh)
		if err != nil {
			return nil, err
		}
		timeout := time.Duration(d.settings.Timeout)
		if reused { // a dead connection may use up time: some is left for another one
			c.SetTimeout(timeout / 4)
		}
		if err = d.bindAsSearcher(c); err == nil {
			c.SetTimeout(timeout)
			return c, nil
		}
		d.pool.put(c, true)
		d.pool.close() // the other idle connections are probably dead too
		if !reused || hasResult(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", login.ErrDown, err)
		}
	}
}

// logIn performs all operations on one connection that is bound as the searching account.
func (d *Directory) logIn(c *conn, name, password string) (*login.User, error) {
	entry, none, err := d.find(c, name)
	if err != nil {
		return nil, err
	}
	dn := "cn=" + rand.Text() + "," + d.settings.Users.BaseDN // does not exist
	if entry != nil {
		dn = entry.DN
	}
	err = c.Bind(dn, password)
	switch {
	case isServerFailure(err):
		return nil, err
	case entry == nil:
		return nil, &login.Denied{Reason: none}
	case ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials):
		return nil, &login.Denied{Subject: d.subject(entry), Reason: login.WrongPassword}
	case err != nil:
		return nil, &login.Denied{Subject: d.subject(entry), Reason: Refused + resultName(err)}
	}
	if d.settings.Groups.BaseDN != "" {
		if err := d.bindAsSearcher(c); err != nil {
			return nil, err
		}
	}
	return d.readUser(c, entry)
}

// readUser returns the user of an entry. The connection must be bound as the searching account if groups are
// searched.
func (d *Directory) readUser(c *conn, entry *ldap.Entry) (*login.User, error) {
	user := &login.User{Subject: d.subject(entry), Attributes: d.attributes(entry)}
	if user.Subject == "" {
		return nil, &login.Denied{Reason: "the entry has no usable " + d.settings.Users.Subject}
	}
	if attribute := d.settings.Users.PasswordChanged; attribute != "" {
		user.Credential = login.CredentialOf(string(entry.GetEqualFoldRawAttributeValue(attribute)))
	}
	if d.settings.Groups.BaseDN == "" {
		return user, nil
	}
	groups, err := d.groups(c, entry.DN)
	if errors.Is(err, errTooManyGroups) {
		return nil, &login.Denied{Subject: user.Subject, Reason: TooManyGroups}
	}
	if err != nil {
		return nil, err
	}
	user.Attributes["groups"] = groups
	return user, nil
}

// hasResult reports whether the server returned a result.
func hasResult(err error) bool {
	var result *ldap.Error
	return errors.As(err, &result) && result.ResultCode < ldap.ErrorNetwork
}

// isServerFailure reports whether a bind failed because of the server (RFC 4511 appendix A), or without a result. All
// other results are about the account, such as a wrong password, or a locked, expired or deleted account. It is used
// for known and unknown names alike.
func isServerFailure(err error) bool {
	return err != nil && (!hasResult(err) || ldap.IsErrorAnyOf(err,
		ldap.LDAPResultOperationsError, ldap.LDAPResultProtocolError, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAuthMethodNotSupported,
		ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultConfidentialityRequired,
		ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultOther))
}

// resultName returns the name of the result code of an error.
func resultName(err error) string {
	var result *ldap.Error
	if errors.As(err, &result) {
		if name, known := ldap.LDAPResultCodeMap[result.ResultCode]; known {
			return name
		}
	}
	return "unknown result"
}

// find returns the single entry with a name, or the reason why there is none.
func (d *Directory) find(c *conn, name string) (entry *ldap.Entry, none string, err error) {
	users := &d.settings.Users
	wanted := []string{users.Subject}
	if users.PasswordChanged != "" {
		wanted = append(wanted, users.PasswordChanged)
	}
	for _, attribute := range users.Attributes {
		wanted = append(wanted, attribute.Name)
	}
	filter := strings.ReplaceAll(users.Filter, "{name}", ldap.EscapeFilter(name))
	result, err := c.Search(ldap.NewSearchRequest(users.BaseDN, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, d.seconds(), false, filter, wanted, nil))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return nil, Several, nil
	case err != nil:
		return nil, "", err
	case len(result.Entries) == 0:
		return nil, login.UnknownUser, nil
	case len(result.Entries) > 1:
		return nil, Several, nil
	}
	return result.Entries[0], "", nil
}

// subject returns the subject of an entry, in hex if it is not text, such as objectGUID. It returns "" if it is not
// valid as sub.
func (d *Directory) subject(entry *ldap.Entry) string {
	raw := entry.GetEqualFoldRawAttributeValue(d.settings.Users.Subject)
	subject := string(raw)
	if !token.IsText(subject) {
		subject = hex.EncodeToString(raw)
	}
	if !token.IsSubject(subject) {
		return ""
	}
	return subject
}

// attributes returns the attributes as strings, or as lists if there are several values.
func (d *Directory) attributes(entry *ldap.Entry) map[string]any {
	out := map[string]any{}
	for name, attribute := range d.settings.Users.Attributes {
		switch values := entry.GetEqualFoldAttributeValues(attribute.Name); {
		case len(values) == 0:
		case len(values) == 1 && !attribute.List:
			out[name] = values[0]
		default:
			out[name] = values
		}
	}
	return out
}

func (d *Directory) seconds() int { return int(max(time.Duration(d.settings.Timeout)/time.Second, 1)) }

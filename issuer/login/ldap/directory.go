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

// Reasons of a login that is denied although the password may be right.
const (
	// Refused means that the directory refused it for another reason than the password, like an account that is locked. The name of the
	// result (RFC 4511 section 4.1.9) comes after it; what the directory says beyond that may hold anything.
	Refused = "refused by the directory: "
	// Several means that a name is that of more than one entry.
	Several = "several entries match users.ldap.users.filter"
	// TooManyGroups means that not all groups of the user could be read: a right, or the lack of one, may hang on any of them.
	TooManyGroups = "in too many groups, or in groups that are nested too deeply"
)

// Directory is a login.Directory: it searches for the user, and binds as them with the password (RFC 4513 section 5.1.3).
type Directory struct {
	settings *config.LDAP
	pool     *pool
}

var _ login.Directory = (*Directory)(nil)

// New returns a Directory. Nothing is connected before the first login.
func New(settings *config.LDAP) *Directory {
	return &Directory{settings: settings, pool: newPool(settings)}
}

// Close closes the connections that are not in use.
func (d *Directory) Close() { d.pool.close() }

// Authenticate finds the user of a name, tries the password, and reads attributes and groups. A name that nobody has costs
// a bind too. A password is tried once: directories count. That goes on when the client has gone, or it could take back a guess
// before it counts with us.
func (d *Directory) Authenticate(ctx context.Context, name, password string) (*login.User, error) {
	name, password, ok := login.Prepare(name, password)
	if !ok { // without a password a bind would succeed (RFC 4513 section 5.1.2)
		return nil, &login.Denied{Reason: login.WrongPassword}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.settings.Timeout))
	defer cancel()
	c, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	user, err := d.logIn(c, name, password)
	return d.done(c, user, err)
}

// Lookup finds the user of a name, and reads attributes and groups. No result of a bind says that an account is locked: the filter of the
// users must.
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
		user, err = d.userOf(c, entry)
	}
	return d.done(c, user, err)
}

// done gives the connection back.
func (d *Directory) done(c *conn, user *login.User, err error) (*login.User, error) {
	broken := err != nil && !errors.Is(err, login.ErrDenied)
	d.pool.put(c, broken)
	if broken {
		return nil, fmt.Errorf("%w: %w", login.ErrDown, err)
	}
	return user, err
}

// connect returns a connection that is bound as the searching account, whoever used it last. If the server has closed it
// meanwhile, this bind shows it, and a new one takes its place.
func (d *Directory) connect(ctx context.Context) (*conn, error) {
	for fresh := false; ; fresh = true {
		c, reused, err := d.pool.get(ctx, fresh)
		if err != nil {
			return nil, err
		}
		timeout := time.Duration(d.settings.Timeout)
		if reused { // it may have died without a word: what then is left of the time is for another one
			c.SetTimeout(timeout / 4)
		}
		if err = d.bindAsSearcher(c); err == nil {
			c.SetTimeout(timeout)
			return c, nil
		}
		d.pool.put(c, true)
		d.pool.close() // what was idle beside it has died with it
		if !reused || answered(err) || ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", login.ErrDown, err)
		}
	}
}

// logIn does all on one connection that is bound as the searching account.
func (d *Directory) logIn(c *conn, name, password string) (*login.User, error) {
	entry, none, err := d.find(c, name)
	if err != nil {
		return nil, err
	}
	dn := "cn=" + rand.Text() + "," + d.settings.Users.BaseDN // nobody
	if entry != nil {
		dn = entry.DN
	}
	err = c.Bind(dn, password)
	switch {
	case cannotSay(err):
		return nil, err
	case entry == nil:
		return nil, &login.Denied{Reason: none}
	case ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials):
		return nil, &login.Denied{Subject: d.subject(entry), Reason: login.WrongPassword}
	case err != nil:
		return nil, &login.Denied{Subject: d.subject(entry), Reason: Refused + resultOf(err)}
	}
	if d.settings.Groups.BaseDN != "" {
		if err := d.bindAsSearcher(c); err != nil {
			return nil, err
		}
	}
	return d.userOf(c, entry)
}

// userOf reads a user, on a connection that is bound as the searching account if there are groups to search for.
func (d *Directory) userOf(c *conn, entry *ldap.Entry) (*login.User, error) {
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

// answered reports whether the server gave a result, whatever it was.
func answered(err error) bool {
	var result *ldap.Error
	return errors.As(err, &result) && result.ResultCode < ldap.ErrorNetwork
}

// cannotSay reports whether a bind failed for a reason that lies with the server (RFC 4511 appendix A), or without a result.
// Any other result is about the account: a wrong password, one that is locked or has expired, an entry that was deleted or has
// moved. Known and unknown names go through here, so that they get the same answer.
func cannotSay(err error) bool {
	return err != nil && (!answered(err) || ldap.IsErrorAnyOf(err,
		ldap.LDAPResultOperationsError, ldap.LDAPResultProtocolError, ldap.LDAPResultTimeLimitExceeded, ldap.LDAPResultAuthMethodNotSupported,
		ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultAdminLimitExceeded, ldap.LDAPResultConfidentialityRequired,
		ldap.LDAPResultBusy, ldap.LDAPResultUnavailable, ldap.LDAPResultOther))
}

// resultOf returns the name of the result of an operation.
func resultOf(err error) string {
	var result *ldap.Error
	if errors.As(err, &result) {
		if name, known := ldap.LDAPResultCodeMap[result.ResultCode]; known {
			return name
		}
	}
	return "unknown result"
}

// find returns the one entry of a name, or else why there is none.
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

// subject is text, or hex of what is none, like the objectGUID of Active Directory. It is empty if it cannot be a sub.
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

// attributes are texts, or lists of them where the entry has several.
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

package oauth2

import (
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/ratelimit"
	"github.com/keywright/keywright/verifier/dpop"
)

// Options are what an endpoint needs.
type Options struct {
	Now func() time.Time
	// Log is for the person on call.
	Log *slog.Logger
	// Audit gets one line per request.
	Audit io.Writer
	// Config and Keys return what is in use now. Keys reports false while no signing key was mounted.
	Config func() (*config.Config, bool)
	Keys   func() (*keys.Snapshot, bool)
	// Directory checks the passwords of users.
	Directory login.Directory
	// Trusted has the keys of the trusted issuers, by name.
	Trusted map[string]*jwtverify.KeySet
	Places  Places
	// Remote returns the address of the client.
	Remote func(*http.Request, *config.Server) netip.Addr
	// Answered is told of each answer before it is sent: its grant type or OtherGrant, and IssuedResult or the error code.
	Answered func(grant, result string, took time.Duration)
}

// Endpoint is the token endpoint (RFC 6749 section 3.2).
type Endpoint struct {
	now      func() time.Time
	log      *slog.Logger
	config   func() (*config.Config, bool)
	keys     func() (*keys.Snapshot, bool)
	places   Places
	remote   func(*http.Request, *config.Server) netip.Addr
	answered func(grant, result string, took time.Duration)
	audit    audit
	clients  clients
	// proofs are those that were seen, and provers the keys of clients that sent some.
	proofs  *dpop.Replays
	provers *dpop.Keys
	// grants has the grant types (RFC 6749 section 1.3), by their names.
	grants map[string]grant
}

// New returns an endpoint that limits failed logins and wrong client secrets alike.
func New(o Options, limits config.Login) *Endpoint {
	each := ratelimit.Rate{Burst: limits.FailuresPerUser.Burst, Every: time.Duration(limits.FailuresPerUser.Every)}
	all := ratelimit.Rate{Burst: limits.FailuresPerNetwork.Burst, Every: time.Duration(limits.FailuresPerNetwork.Every)}
	return &Endpoint{
		now: o.Now, log: o.Log, config: o.Config, keys: o.Keys, places: o.Places, remote: o.Remote, answered: o.Answered,
		audit:   audit{out: o.Audit, log: o.Log},
		clients: clients{now: o.Now, failures: ratelimit.NewFailures(each, all), replays: jwtverify.NewReplays()},
		proofs:  newProofs(),
		provers: dpop.NewKeys(),
		grants: map[string]grant{
			config.Password:          &passwordGrant{now: o.Now, log: o.Log, directory: o.Directory, failures: ratelimit.NewFailures(each, all)},
			config.ClientCredentials: clientCredentialsGrant{},
			config.Exchange:          &tokenExchangeGrant{now: o.Now, trusted: o.Trusted},
			config.RefreshToken:      &refreshGrant{log: o.Log, directory: o.Directory},
		},
	}
}

// ServeHTTP answers a request for a token. The answer is in the audit log before anybody has it.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := e.now()
	settings, _ := e.config()
	c := &call{settings: settings, remote: e.remote(r, &settings.Server), certificate: certificateOf(r), grantType: OtherGrant}
	issued, refused := e.handle(w, r, c)
	record := c.record(began, issued, refused)
	e.answered(record.Grant, record.Result, e.now().Sub(began))
	e.audit.write(r.Context(), record)
	e.offerNonce(w, r)
	if refused != nil {
		refused.Write(w)
		return
	}
	writeJSON(w, http.StatusOK, issued.response())
}

// handle takes a request through the steps that all grant types share, in this order. The first step that refuses ends it.
func (e *Endpoint) handle(w http.ResponseWriter, r *http.Request, c *call) (*issued, *Refusal) {
	var refused *Refusal

	// 1. Read the form, and with it what the client authenticates with (RFC 6749 sections 2.3 and 3.2).
	if c.request, refused = e.read(w, r, c.remote); refused != nil {
		return nil, refused
	}

	// 2. Find the grant type, and take a place among the requests of its kind.
	grant, known := e.grants[c.request.grantType]
	if !known {
		return nil, badRequest("unsupported_grant_type", "the grant types are "+strings.Join(c.settings.GrantTypes(), ", "))
	}
	c.grantType = c.request.grantType
	leave, ok := e.places.Answer(c.grantType, c.remote)
	if !ok {
		return nil, tooMany()
	}
	defer leave()

	// 3. Authenticate the client (RFC 6749 section 3.2.1), and see that it may use the grant type.
	c.named, _ = c.settings.Client(c.request.clientID)
	if c.client, refused = e.clients.authenticate(c); refused != nil {
		return nil, refused
	}
	if refused = c.checkGrantType(); refused != nil {
		return nil, refused
	}

	// 4. Take one snapshot of the key: kid, algorithm, signature and the longest lifetime belong together.
	if c.key, ok = e.keys(); !ok || !c.key.Signs() {
		return nil, Unavailable("there is no key to sign with", 30)
	}

	// 5. Check the proof of the client's key (RFC 9449), and open the session that goes on.
	if refused = e.resume(c, r.Header); refused != nil {
		return nil, refused
	}

	// 6. Choose the audiences (RFC 8707), and the key that the token is encrypted for.
	if refused = c.narrowAudience(); refused != nil {
		return nil, refused
	}
	if refused = c.chooseReader(); refused != nil {
		return nil, refused
	}

	// 7. Ask the grant who the token is about.
	if c.identity, refused = grant.identify(r.Context(), c); refused != nil {
		return nil, refused
	}

	// 8. Refuse what a Revocation ended, and a token that one would end as soon as it is there.
	if refused = c.checkRevoked(e.now()); refused != nil {
		return nil, refused
	}

	// 9. Choose the scopes (RFC 6749 section 3.3), which may depend on the user.
	if refused = c.narrowScope(); refused != nil {
		return nil, refused
	}

	// 10. Remember the proof, after all that can be wrong, and begin the session of a login.
	if refused = e.remember(c); refused != nil {
		return nil, refused
	}
	e.beginSession(c)

	// 11. Sign the token, encrypt it where a reader was chosen, and seal the session.
	return e.issue(c)
}

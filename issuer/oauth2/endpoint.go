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

// Options are the dependencies of an Endpoint.
type Options struct {
	Now func() time.Time
	// Log is the operational log.
	Log *slog.Logger
	// Audit is the audit log, with one line per request.
	Audit io.Writer
	// Config and Keys return the current values. Keys returns false until a signing key is mounted.
	Config func() (*config.Config, bool)
	Keys   func() (*keys.Snapshot, bool)
	// Directory authenticates users.
	Directory login.Directory
	// Trusted contains the keys of the trusted issuers, by name.
	Trusted map[string]*jwtverify.KeySet
	Places  ConcurrencyLimiter
	// Remote returns the address of the client.
	Remote func(*http.Request, *config.Server) netip.Addr
	// ObserveResponse is called before each response is sent, with the grant type or OtherGrant, and IssuedResult or
	// the error code.
	ObserveResponse func(grant, result string, took time.Duration)
}

// Endpoint is the token endpoint (RFC 6749 section 3.2).
type Endpoint struct {
	now             func() time.Time
	log             *slog.Logger
	config          func() (*config.Config, bool)
	keys            func() (*keys.Snapshot, bool)
	places          ConcurrencyLimiter
	remote          func(*http.Request, *config.Server) netip.Addr
	observeResponse func(grant, result string, took time.Duration)
	audit           audit
	clients         clientAuthenticator
	// proofs are the accepted proofs, and dpopKeys a cache of client keys.
	proofs   *dpop.Replays
	dpopKeys *dpop.Keys
	// grants contains the grant types (RFC 6749 section 1.3) by name.
	grants map[string]grant
}

// New returns an Endpoint. limits applies to failed logins and to wrong client secrets.
func New(o Options, limits config.Login) *Endpoint {
	each := ratelimit.Rate{Burst: limits.FailuresPerUser.Burst, Every: time.Duration(limits.FailuresPerUser.Every)}
	all := ratelimit.Rate{Burst: limits.FailuresPerNetwork.Burst, Every: time.Duration(limits.FailuresPerNetwork.Every)}
	return &Endpoint{
		now: o.Now, log: o.Log, config: o.Config, keys: o.Keys, places: o.Places, remote: o.Remote, observeResponse: o.ObserveResponse,
		audit:    audit{out: o.Audit, log: o.Log},
		clients:  clientAuthenticator{now: o.Now, failures: ratelimit.NewFailures(each, all), replays: jwtverify.NewReplays()},
		proofs:   newProofs(),
		dpopKeys: dpop.NewKeys(),
		grants: map[string]grant{
			config.Password:          &passwordGrant{now: o.Now, log: o.Log, directory: o.Directory, failures: ratelimit.NewFailures(each, all)},
			config.ClientCredentials: clientCredentialsGrant{},
			config.Exchange:          &tokenExchangeGrant{now: o.Now, trusted: o.Trusted},
			config.RefreshToken:      &refreshGrant{log: o.Log, directory: o.Directory},
		},
	}
}

// ServeHTTP handles a token request. It writes the audit record before the response.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := e.now()
	settings, _ := e.config()
	c := &call{settings: settings, remote: e.remote(r, &settings.Server), certificate: certificateOf(r), grantType: OtherGrant}
	issued, refused := e.handle(w, r, c)
	record := c.record(began, issued, refused)
	e.observeResponse(record.Grant, record.Result, e.now().Sub(began))
	e.audit.write(r.Context(), record)
	e.offerNonce(w, r)
	if refused != nil {
		refused.Write(w)
		return
	}
	writeJSON(w, http.StatusOK, issued.response())
}

// handle runs the steps that all grant types share, in this order. The first error ends it.
func (e *Endpoint) handle(w http.ResponseWriter, r *http.Request, c *call) (*issued, *Error) {
	var refused *Error

	// 1. Parse the form with the client credentials (RFC 6749 sections 2.3 and 3.2).
	if c.request, refused = e.read(w, r, c.remote); refused != nil {
		return nil, refused
	}

	// 2. Find the grant type, and acquire a slot for it.
	grant, known := e.grants[c.request.grantType]
	if !known {
		return nil, badRequest("unsupported_grant_type", "the supported grant types are "+strings.Join(c.settings.GrantTypes(), ", "))
	}
	c.grantType = c.request.grantType
	leave, ok := e.places.AcquireGrant(c.grantType, c.remote)
	if !ok {
		return nil, tooMany()
	}
	defer leave()

	// 3. Authenticate the client (RFC 6749 section 3.2.1), and check that it may use the grant type.
	c.claimedClient, _ = c.settings.Client(c.request.clientID)
	if c.client, refused = e.clients.authenticate(c); refused != nil {
		return nil, refused
	}
	if refused = c.checkGrantType(); refused != nil {
		return nil, refused
	}

	// 4. Take one snapshot of the signing key, so that kid, algorithm, signer and policy match.
	if c.key, ok = e.keys(); !ok || !c.key.Signs() {
		return nil, Unavailable("the issuer has no signing key", 30)
	}

	// 5. Verify the DPoP proof (RFC 9449), and open the session of a refresh token.
	if refused = e.resume(c, r.Header); refused != nil {
		return nil, refused
	}

	// 6. Choose the audiences (RFC 8707), and the encryption key.
	if refused = c.narrowAudience(); refused != nil {
		return nil, refused
	}
	if refused = c.chooseEncryptionKey(); refused != nil {
		return nil, refused
	}

	// 7. Let the grant determine the subject.
	if c.identity, refused = grant.identify(r.Context(), c); refused != nil {
		return nil, refused
	}

	// 8. Reject a subject or session that a Revocation names, and a token that it would revoke at once.
	if refused = c.checkRevoked(e.now()); refused != nil {
		return nil, refused
	}

	// 9. Choose the scopes (RFC 6749 section 3.3), which may depend on the user.
	if refused = c.narrowScope(); refused != nil {
		return nil, refused
	}

	// 10. Store the proof, after all other checks, and begin the session of a login.
	if refused = e.storeProof(c); refused != nil {
		return nil, refused
	}
	e.beginSession(c)

	// 11. Sign the token, encrypt it if there is a key, and issue the refresh token.
	return e.issue(c)
}

package oauth2

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// maxAssertionLifetime is the maximum lifetime of a client assertion, for which its jti is stored. Some libraries use
// a fixed lifetime of an hour.
const maxAssertionLifetime = time.Hour

// clientAuthenticator authenticates clients (RFC 6749 section 2.3).
type clientAuthenticator struct {
	now func() time.Time
	// failures limits failed client authentications.
	failures *ratelimit.Failures
	replays  *jwtverify.Replays
}

// authenticate returns the authenticated client of the request. Wrong secrets are limited like passwords (RFC 6749
// section 2.3.1), per client and network, and per network, so that the client is not locked out in other networks.
func (a *clientAuthenticator) authenticate(c *call) (*config.Client, *Error) {
	if c.request.secret == "" {
		return a.verifyCredentials(c)
	}
	if wait := a.failures.Wait(a.now(), c.request.clientID, c.remote); wait > 0 {
		return nil, tooManyFailures(wait)
	}
	client, refused := a.verifyCredentials(c)
	if refused != nil {
		a.failures.Record(a.now(), c.request.clientID, c.remote)
	}
	return client, refused
}

// verifyCredentials returns the client whose credentials are in the request. An unknown client takes as long as one
// with a secret.
func (a *clientAuthenticator) verifyCredentials(c *call) (*config.Client, *Error) {
	req, client, known := c.request, c.claimedClient, c.claimedClient != nil
	switch {
	case req.assertion != nil:
		return a.authenticateAssertion(c.settings, client, req.assertion)
	case known && client.CertificateName != "" && req.secret == "":
		if refused := authenticateCertificate(client, c.certificate); refused != nil {
			return nil, refused
		}
		return client, nil
	case known && client.Public && req.secret == "":
		return client, nil
	case known && client.Public:
		return nil, invalidClient("the client is public, but sent a secret")
	}
	var want [sha256.Size]byte
	hasSecret := known && client.SecretDigest() != nil
	if hasSecret {
		copy(want[:], client.SecretDigest())
	}
	got := sha256.Sum256([]byte(req.secret))
	right := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	switch {
	case !known:
		return nil, invalidClient("unknown client")
	case req.secret == "" || !hasSecret:
		return nil, invalidClient("the client used another authentication method than the one that is configured for it")
	case !right:
		return nil, invalidClient("wrong client secret")
	}
	return client, nil
}

// authenticateAssertion implements private_key_jwt (RFC 7523 section 3). iss and sub must be the client, aud only
// this issuer (or its token endpoint, if configured), and each jti is valid once.
func (a *clientAuthenticator) authenticateAssertion(settings *config.Config, client *config.Client, assertion *jwtverify.Unverified) (*config.Client, *Error) {
	if client == nil {
		return nil, invalidClient("unknown client")
	}
	if len(client.PublicKeys) == 0 {
		return nil, invalidClient("the client used another authentication method than the one that is configured for it")
	}
	now := a.now()
	proof, err := assertion.Verify(client.KeySet(), jwtverify.Expected{
		Issuer: client.ID, Audience: settings.AudienceOf(client), OnlyAudience: true, MaxLifetime: maxAssertionLifetime,
		Types: []string{"jwt", "client-authentication+jwt"},
	}, now)
	switch {
	case err != nil:
		return nil, invalidClient("the assertion is refused: " + err.Error())
	case proof.Subject != client.ID:
		return nil, invalidClient("the assertion is refused: its sub is not the client")
	case proof.ID == "" || len(proof.ID) > 255:
		return nil, invalidClient("the assertion is refused: its jti is missing or longer than 255 bytes")
	case !a.replays.First(client.ID, proof.ID, proof.Expiry, now):
		return nil, invalidClient("the assertion is refused: it was used before")
	}
	return client, nil
}

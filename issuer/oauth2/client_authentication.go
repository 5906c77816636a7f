package oauth2

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// maxAssertionLifetime bounds how long the assertion of a client may live, and so how long its jti is remembered. Some
// libraries make them an hour long and cannot be told otherwise.
const maxAssertionLifetime = time.Hour

// clients authenticates clients (RFC 6749 section 2.3).
type clients struct {
	now func() time.Time
	// failures are those of client secrets.
	failures *ratelimit.Failures
	replays  *jwtverify.Replays
}

// authenticate returns the client that the request is of, once it has proved who it is. Secrets that are wrong are limited like passwords (RFC 6749 section
// 2.3.1): for a client in a network, and in a network. The client is not locked out elsewhere.
func (a *clients) authenticate(c *call) (*config.Client, *Refusal) {
	if c.request.secret == "" {
		return a.prove(c)
	}
	if wait := a.failures.Wait(a.now(), c.request.clientID, c.remote); wait > 0 {
		return nil, tooManyFailures(wait)
	}
	client, refused := a.prove(c)
	if refused != nil {
		a.failures.Record(a.now(), c.request.clientID, c.remote)
	}
	return client, refused
}

// prove returns the client of a request that proves who it is. An unknown client costs what one with a secret does.
func (a *clients) prove(c *call) (*config.Client, *Refusal) {
	req, client, known := c.request, c.named, c.named != nil
	switch {
	case req.assertion != nil:
		return a.byAssertion(c.settings, client, req.assertion)
	case known && client.CertificateName != "" && req.secret == "":
		if refused := byCertificate(client, c.certificate); refused != nil {
			return nil, refused
		}
		return client, nil
	case known && client.Public && req.secret == "":
		return client, nil
	case known && client.Public:
		return nil, invalidClient("a public client sends a secret")
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
		return nil, invalidClient("the client uses another authentication method than its configuration names")
	case !right:
		return nil, invalidClient("wrong client secret")
	}
	return client, nil
}

// byAssertion takes private_key_jwt (RFC 7523 section 3): iss and sub are the client, aud is this issuer alone (or its token endpoint, for
// a client that is configured so), and a jti is good once.
func (a *clients) byAssertion(settings *config.Config, client *config.Client, assertion *jwtverify.Unverified) (*config.Client, *Refusal) {
	if client == nil {
		return nil, invalidClient("unknown client")
	}
	if len(client.PublicKeys) == 0 {
		return nil, invalidClient("the client uses another authentication method than its configuration names")
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

package oauth2

import (
	"crypto/x509"
	"net/netip"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/session"
	"github.com/keywright/keywright/verifier/dpop"
)

// OtherGrant is the label for unsupported grant types in metrics and the audit log.
const OtherGrant = "other"

// call is the state of one token request. Each step of Endpoint.handle sets its part.
type call struct {
	settings *config.Config
	remote   netip.Addr
	// certificate is the client certificate, or nil.
	certificate *x509.Certificate
	request     *tokenRequest
	// grantType is OtherGrant until a supported grant type is known.
	grantType string
	// claimedClient is the client that the request names, or nil. client is set once it is authenticated.
	claimedClient, client *config.Client
	key                   *keys.Snapshot
	audiences             []string
	// encryptionKey is the key for the token, or nil.
	encryptionKey *jose.JSONWebKey
	identity      identity
	scopes        []string
	// proof is the DPoP proof, or nil, and proofUntil the time until which it can be replayed.
	proof      *dpop.Proof
	proofUntil time.Time
	// session is the refreshed or new session, or nil.
	session *session.Session
}

// checkGrantType rejects a client that may not use the grant type (RFC 6749 section 5.2).
func (c *call) checkGrantType() *Error {
	if !c.client.AllowsGrant(c.grantType) {
		return badRequest("unauthorized_client", "this client may not use this grant type")
	}
	return nil
}

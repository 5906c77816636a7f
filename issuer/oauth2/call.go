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

// OtherGrant stands for what is no grant type, in metrics and the audit log.
const OtherGrant = "other"

// call is one request for a token, and what is known of it. Each step of Endpoint.handle fills in its part.
type call struct {
	settings *config.Config
	remote   netip.Addr
	// certificate is that of the client, nil if it showed none.
	certificate *x509.Certificate
	request     *tokenRequest
	// grantType is OtherGrant until the request has named one that there is.
	grantType string
	// named is the client that the request says it is of, nil if there is none. client is that client once it has proved it.
	named, client *config.Client
	key           *keys.Snapshot
	audiences     []string
	// reader is the key that the token is encrypted for, nil if it is not.
	reader   *jose.JSONWebKey
	identity identity
	scopes   []string
	// proof is that of the client's key, nil if it sent none, and proofUntil when it can be used no longer.
	proof      *dpop.Proof
	proofUntil time.Time
	// session is the one that goes on, or begins, nil if there is none.
	session *session.Session
}

// checkGrantType refuses a client that may not use the grant type (RFC 6749 section 5.2).
func (c *call) checkGrantType() *Refusal {
	if !c.client.May(c.grantType) {
		return badRequest("unauthorized_client", "this client may not use this grant type")
	}
	return nil
}

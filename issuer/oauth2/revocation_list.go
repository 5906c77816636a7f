package oauth2

import (
	"net/http"

	"github.com/keywright/keywright/api/issuerfiles"
)

// ReadsRevocationList is the grant type in audit records of requests for the revocation list.
const ReadsRevocationList = "revocation_list"

// RevocationList returns the revocation list to a client with the right to read it, which authenticates with HTTP
// Basic (RFC 6749 section 2.3.1). The list reveals whose tokens are revoked, so failed requests are audited, and
// wrong secrets are limited as at the token endpoint.
func (e *Endpoint) RevocationList(r *http.Request) (issuerfiles.Revoked, *Error) {
	began := e.now()
	settings, _ := e.config()
	c := &call{settings: settings, remote: e.remote(r, &settings.Server), grantType: ReadsRevocationList}
	list, refused := e.revocationList(c, r.Header.Values("Authorization"))
	if refused != nil {
		record := c.record(began, nil, refused)
		record.Message = "Revocation list request"
		e.audit.write(r.Context(), record)
	}
	return list, refused
}

func (e *Endpoint) revocationList(c *call, authorization []string) (issuerfiles.Revoked, *Error) {
	if len(authorization) != 1 {
		return issuerfiles.Revoked{}, invalidClient("there is no Authorization header, or more than one")
	}
	c.request = &tokenRequest{}
	refused := c.request.basic(authorization[0])
	if refused != nil {
		return issuerfiles.Revoked{}, refused
	}
	c.claimedClient, _ = c.settings.Client(c.request.clientID)
	if c.client, refused = e.clients.authenticate(c); refused != nil {
		return issuerfiles.Revoked{}, refused
	}
	if !c.client.RevocationList {
		return issuerfiles.Revoked{}, &Error{
			status: http.StatusForbidden, Code: "unauthorized_client", description: "this client may not read the revocation list",
		}
	}
	key, ok := e.keys()
	if !ok {
		return issuerfiles.Revoked{}, Unavailable("no revocation list is loaded yet", 5)
	}
	return key.Revoked, nil
}

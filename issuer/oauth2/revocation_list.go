package oauth2

import (
	"net/http"

	"github.com/keywright/keywright/api/issuerfiles"
)

// ReadsRevocationList is the grant of a request for the revocation list, in the audit log.
const ReadsRevocationList = "revocation_list"

// RevocationList returns the revocation list for a client that may read it and authenticates with HTTP Basic (RFC 6749 section 2.3.1).
// Whoever has the list can test whose tokens ended, so refusals are audited, and wrong secrets are limited as at the token endpoint.
func (e *Endpoint) RevocationList(r *http.Request) (issuerfiles.Revoked, *Refusal) {
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

func (e *Endpoint) revocationList(c *call, authorization []string) (issuerfiles.Revoked, *Refusal) {
	if len(authorization) != 1 {
		return issuerfiles.Revoked{}, invalidClient("there is no Authorization header, or more than one")
	}
	c.request = &tokenRequest{}
	refused := c.request.basic(authorization[0])
	if refused != nil {
		return issuerfiles.Revoked{}, refused
	}
	c.named, _ = c.settings.Client(c.request.clientID)
	if c.client, refused = e.clients.authenticate(c); refused != nil {
		return issuerfiles.Revoked{}, refused
	}
	if !c.client.RevocationList {
		return issuerfiles.Revoked{}, &Refusal{
			status: http.StatusForbidden, Code: "unauthorized_client", description: "this client may not read the revocation list",
		}
	}
	key, ok := e.keys()
	if !ok {
		return issuerfiles.Revoked{}, Unavailable("there is no revocation list yet", 5)
	}
	return key.Revoked, nil
}

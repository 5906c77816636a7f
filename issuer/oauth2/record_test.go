package oauth2

import (
	"testing"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/token"
)

// A record says what is known when a call ends, and names nobody who is not known.
func TestRecord(t *testing.T) {
	batch, key := &config.Client{ID: "batch"}, &keys.Snapshot{KeyID: "kid-1"}
	issuedTo := func(subject string) *issued { return &issued{claims: token.Claims{Subject: subject, ID: "jti-1"}} }
	for name, c := range map[string]struct {
		call    call
		issued  *issued
		refused *Error
		want    record
	}{
		"before a grant type is known": {call{grantType: OtherGrant}, nil, invalidRequest("no form"), record{Grant: "other", Result: "invalid_request", Reason: "no form"}},
		"a client that did not prove who it is": {
			call{grantType: config.ClientCredentials, claimedClient: batch},
			nil, invalidClient("wrong client secret"),
			record{Grant: "client_credentials", Client: "batch", Result: "invalid_client", Reason: "wrong client secret"},
		},
		"a wrong password of a user": {
			call{grantType: config.Password, claimedClient: batch, client: batch},
			nil, wrongPassword("wrong password", "8a2f"),
			record{Grant: "password", Client: "batch", Result: "invalid_grant", Reason: "wrong password", Subject: "8a2f"},
		},
		"a user who may not have a scope": {
			call{grantType: config.Password, claimedClient: batch, client: batch, identity: identity{subject: "8a2f"}},
			nil, badRequest("invalid_scope", "no"),
			record{Grant: "password", Client: "batch", Result: "invalid_scope", Reason: "no", Subject: "8a2f"},
		},
		"a client that may not have a scope": {
			call{grantType: config.ClientCredentials, claimedClient: batch, client: batch, identity: identity{subject: "client:batch"}},
			nil,
			badRequest("invalid_scope", "no"),
			record{Grant: "client_credentials", Client: "batch", Result: "invalid_scope", Reason: "no"},
		},
		"a token": {
			call{grantType: config.ClientCredentials, claimedClient: batch, client: batch, key: key, identity: identity{subject: "client:batch"}},
			issuedTo("client:batch"), nil,
			record{Grant: "client_credentials", Client: "batch", Result: "issued", Subject: "client:batch", ID: "jti-1", KeyID: "kid-1"},
		},
	} {
		c.want.Time, c.want.Level, c.want.Message = fixed(), "INFO", "Token request"
		if got := c.call.record(fixed(), c.issued, c.refused); *got != c.want {
			t.Errorf("%s: %+v, want %+v", name, *got, c.want)
		}
	}
}

package config

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/api/jws"
	"github.com/keywright/keywright/issuer/strictyaml"
	"github.com/keywright/keywright/issuer/token"
)

// AllowsGrant reports whether the client may use a grant type.
func (c *Client) AllowsGrant(grant string) bool {
	if grant == RefreshToken {
		return c.Refresh != nil
	}
	return slices.Contains(c.GrantTypes, grant)
}

// clientID is visible ASCII without spaces (RFC 6749 appendix A.1). A colon is form-encoded in HTTP Basic
// authentication (section 2.3.1).
var clientID = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)

func (c *Config) checkClient(i int, f *strictyaml.Findings) {
	client := &c.Clients[i]
	at := fmt.Sprintf("clients[%d]", i)
	if !clientID.MatchString(client.ID) {
		f.Add(at+".id", "must be 1 to 128 visible ASCII characters")
	}
	for j := range i {
		if client.ID != "" && c.Clients[j].ID == client.ID {
			f.Add(at+".id", "%q is also the id of clients[%d]", client.ID, j)
		}
	}
	checkCredential(client, at, f)
	client.checkEncryption(at, c.Token.Encryption, f)
	client.checkRefresh(at, f)
	c.checkCertificate(client, at, f)
	if len(client.GrantTypes) == 0 && !client.RevocationList {
		f.Add(at+".grantTypes", "must name at least one of %v", Grants())
	}
	if client.RevocationList && client.SecretSHA256 == "" {
		f.Add(at+".revocationList", "needs secretSHA256: the list is read with HTTP Basic authentication")
	}
	for _, grant := range client.GrantTypes {
		switch {
		case !slices.Contains(Grants(), grant):
			f.Add(at+".grantTypes", "%q is not one of %v%s", grant, Grants(), didYouMean(grant, Grants()))
		case grant == Exchange && len(client.SubjectIssuers) == 0:
			f.Add(at+".subjectIssuers", "must name the entries of tokenExchange whose tokens the client can exchange")
		case grant == ClientCredentials && client.Public:
			f.Add(at+".grantTypes", "a public client cannot use %s (RFC 6749 section 4.4)", ClientCredentials)
		}
	}
	for _, name := range client.SubjectIssuers {
		if !slices.ContainsFunc(c.TokenExchange, func(t TrustedIssuer) bool { return t.Name == name || t.Name == "" }) {
			f.Add(at+".subjectIssuers", "%q is not a name in tokenExchange%s", name, didYouMean(name, c.exchangeNames()))
		}
	}
	client.checkOverrides(at, f)
}

// checkOverrides checks the fields that the client does not inherit from token.
func (c *Client) checkOverrides(at string, f *strictyaml.Findings) {
	if c.overrides.audiences {
		checkAudiences(f, at+".audiences", c.Audiences)
	}
	if c.overrides.scopes {
		checkScopes(f, at+".scopes", c.Scopes)
	}
	if c.overrides.claims {
		checkClaims(f, at+".claims", c.Claims)
	}
}

func (c *Config) exchangeNames() (names []string) {
	for i := range c.TokenExchange {
		names = append(names, c.TokenExchange[i].Name)
	}
	return names
}

// didYouMean suggests the nearest known value, if one is similar.
func didYouMean(value string, known []string) string {
	if nearest := strictyaml.Nearest(value, known); nearest != "" {
		return "; did you mean " + nearest + "?"
	}
	return ""
}

// checkRefresh requires refresh tokens to be bound to a key or to client authentication.
func (c *Client) checkRefresh(at string, f *strictyaml.Findings) {
	if c.DPoPRequireNonce && c.Refresh == nil {
		f.Add(at+".dpopRequireNonce", "needs refresh: the issuer creates nonces with the keys of sessions")
	}
	if c.Refresh == nil {
		return
	}
	at += ".refresh"
	unknown := func(grant string) bool { return !slices.Contains(Grants(), grant) } // the unknown value may mean that grant type
	if !slices.Contains(c.GrantTypes, Password) && !slices.ContainsFunc(c.GrantTypes, unknown) {
		f.Add(at, "needs password in grantTypes: only a login with a password begins a session")
	}
	if c.Public && !c.Refresh.DPoP {
		f.Add(at+".dpop", "must be true: the refresh tokens of a public client must be bound to a key of its own (RFC 9449 section 5)")
	}
	if lifetime := time.Duration(c.Refresh.Lifetime); lifetime < time.Second || lifetime > issuerfiles.LongestRefreshLifetime {
		f.Add(at+".lifetime", "must be between 1s and %s", issuerfiles.LongestRefreshLifetime)
	}
	if session := c.Refresh.SessionLifetime; session < c.Refresh.Lifetime || time.Duration(session) > issuerfiles.LongestSessionLifetime {
		f.Add(at+".sessionLifetime", "must not be shorter than refresh.lifetime, and not longer than %s", issuerfiles.LongestSessionLifetime)
	}
}

// checkCredential requires exactly one method of client authentication.
func checkCredential(client *Client, at string, f *strictyaml.Findings) {
	ways := 0
	for _, way := range []bool{client.Public, client.SecretSHA256 != "", len(client.PublicKeys) > 0, client.CertificateName != ""} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		f.Add(at, "needs exactly one of public: true, secretSHA256, publicKeys and certificateName")
	}
	if digest, err := hex.DecodeString(client.SecretSHA256); err != nil || (len(digest) != 32) != (client.SecretSHA256 == "") {
		f.Add(at+".secretSHA256", "must be 64 hex digits: create a secret with `issuer new-secret`")
	}
	if a := client.AssertionAudience; a != "" && (a != AudienceIssuer && a != AudienceTokenEndpoint || len(client.PublicKeys) == 0) {
		f.Add(at+".assertionAudience", "must be %s or %s, with publicKeys set", AudienceIssuer, AudienceTokenEndpoint)
	}
	seen := map[string]bool{}
	for j := range client.PublicKeys {
		key := &client.PublicKeys[j]
		if seen[key.KeyID] {
			f.Add(at+".publicKeys", "two keys have the kid %q", key.KeyID)
		}
		if jwks.Weak(key.Key) {
			f.Add(fmt.Sprintf("%s.publicKeys[%d]", at, j), "must be an RSA key of %d to %d bits, with an exponent of at least %d, that cannot be factored (ROCA)",
				jwks.MinRSABits, jwks.MaxRSABits, jwks.MinRSAExponent)
		} else if key.Valid() && (!jwks.Fits(key.Algorithm, key.Key) || (key.Use != "" && key.Use != "sig")) {
			f.Add(fmt.Sprintf("%s.publicKeys[%d]", at, j), "needs an alg of %v that fits its type and curve, and the use sig or none", jws.Names())
		}
		seen[key.KeyID] = true
	}
}

func checkClaims(f *strictyaml.Findings, field string, claims Claims) {
	for claim, attribute := range claims {
		switch {
		case claim == "" || attribute == "":
			f.Add(field, "must map a claim to an attribute")
		case token.Reserved(claim):
			f.Add(field+"."+claim, "is reserved for the issuer")
		case token.Forbidden(claim) || token.Forbidden(attribute):
			f.Add(field+"."+claim, "looks like a secret, by its name: leave it out, because anyone who has a token can read its claims")
		}
	}
}

package config

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// The grant types (RFC 6749 sections 4.3 and 4.4).
const (
	Password          = "password"
	ClientCredentials = "client_credentials"
)

// findings collects all that is wrong with a configuration.
type findings []error

func (f *findings) add(field, format string, args ...any) {
	*f = append(*f, fmt.Errorf(field+": "+format, args...))
}

// check returns all that is wrong, nil if nothing is.
func (c *Config) check() error {
	var f findings
	if c.APIVersion != APIVersion {
		f.add("apiVersion", "must be %s, not %q", APIVersion, c.APIVersion)
	}
	if c.Kind != Kind {
		f.add("kind", "must be %s, not %q", Kind, c.Kind)
	}
	if u, err := url.Parse(c.Issuer); err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" ||
		u.User != nil || len(c.Issuer) > 512 {
		f.add("issuer", "must be an https URL without query and fragment, like https://issuer.example.com")
	}
	c.checkServer(&f)
	if c.SigningKey.Directory == "" {
		f.add("signingKey.directory", "is where the Secret <name>-signing-key is mounted, and must be set")
	}
	c.checkToken(&f)
	for i := range c.Clients {
		c.checkClient(i, &f)
	}
	return errors.Join(f...)
}

func (c *Config) checkServer(f *findings) {
	for field, address := range map[string]string{
		"server.address": c.Server.Address, "server.metricsAddress": c.Server.MetricsAddress,
	} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			f.add(field, "must be host:port or :port, not %q", address)
		}
	}
	if c.Server.TLS.CertFile == "" || c.Server.TLS.KeyFile == "" {
		f.add("server.tls", "certFile and keyFile must be set: tokens and passwords travel over TLS only")
	}
}

func (c *Config) checkToken(f *findings) {
	if l := time.Duration(c.Token.Lifetime); l < time.Second || l > 24*time.Hour {
		f.add("token.lifetime", "must be between 1s and 24h, not %v", l)
	}
	checkAudiences(f, "token.audiences", c.Token.Audiences)
	checkScopes(f, "token.scopes", c.Token.Scopes)
}

func (c *Config) checkClient(i int, f *findings) {
	client := &c.Clients[i]
	at := fmt.Sprintf("clients[%d]", i)
	if !regexp.MustCompile(`^[\x21-\x39\x3b-\x7e]{1,128}$`).MatchString(client.ID) {
		f.add(at+".id", "must be 1 to 128 visible ASCII characters without a colon")
	}
	for j := range i {
		if c.Clients[j].ID == client.ID {
			f.add(at+".id", "%q is also the id of clients[%d]", client.ID, j)
		}
	}
	if digest, err := hex.DecodeString(client.SecretSHA256); err != nil || (len(digest) != 32) != (client.SecretSHA256 == "") {
		f.add(at+".secretSHA256", "must be 64 hex digits: make a secret with `issuer new-secret`")
	}
	if client.Public == (client.SecretSHA256 != "") {
		f.add(at, "needs either public: true or a secretSHA256")
	}
	if len(client.GrantTypes) == 0 {
		f.add(at+".grantTypes", "must name at least one of %s, %s", Password, ClientCredentials)
	}
	for _, grant := range client.GrantTypes {
		switch {
		case grant != Password && grant != ClientCredentials:
			f.add(at+".grantTypes", "%q is not one of %s, %s", grant, Password, ClientCredentials)
		case grant == Password && c.Users.File == "":
			f.add("users.file", "must be set: clients[%d] may use the grant password", i)
		case grant == ClientCredentials && client.Public:
			f.add(at+".grantTypes", "a public client cannot use %s (RFC 6749 section 4.4)", ClientCredentials)
		}
	}
	checkAudiences(f, at+".audiences", client.Audiences)
	checkScopes(f, at+".scopes", client.Scopes)
}

func checkAudiences(f *findings, field string, audiences []string) {
	if len(audiences) == 0 {
		f.add(field, "must name at least one audience: a token without one would be for everybody")
	}
	if slices.ContainsFunc(audiences, func(a string) bool { return a == "" || len(a) > 512 }) {
		f.add(field, "must have 1 to 512 characters each")
	}
}

// scopeToken is RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,128}$`)

func checkScopes(f *findings, field string, scopes []string) {
	for _, scope := range scopes {
		if !scopeToken.MatchString(scope) {
			f.add(field, "%q is not a scope (RFC 6749 section 3.3)", scope)
		}
	}
}

// IsScope tells whether a text is one scope (RFC 6749 section 3.3).
func IsScope(text string) bool { return scopeToken.MatchString(text) }

package config

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/strictyaml"
)

// The grant types (RFC 6749 sections 4.3 and 4.4, RFC 8693 section 2.1).
const (
	Password          = "password"
	ClientCredentials = "client_credentials"
	Exchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
	// RefreshToken (RFC 6749 section 6) is not in GrantTypes: a client with Refresh may use it.
	RefreshToken = "refresh_token"
)

// Grants returns the supported grant types.
func Grants() []string { return []string{Password, ClientCredentials, Exchange} }

// check reports all errors of the configuration.
func (c *Config) check(f *strictyaml.Findings) {
	if c.APIVersion != APIVersion {
		f.Add("apiVersion", "must be %s", APIVersion)
	}
	if c.Kind != Kind {
		f.Add("kind", "must be %s", Kind)
	}
	if !isIssuer(c.Issuer) {
		f.Add("issuer", "must be an https URL without user, query and fragment, whose path has no escapes, braces, or empty or dotted segments, "+
			"like https://issuer.example.com/shop")
	}
	c.checkServer(f)
	if c.SigningKey.Directory == "" {
		f.Add("signingKey.directory", "must be set to the directory where the Secret <name>-signing-key is mounted")
	}
	c.checkUsers(f)
	checkLimit(f, "login.failuresPerUser", c.Login.FailuresPerUser)
	checkLimit(f, "login.failuresPerNetwork", c.Login.FailuresPerNetwork)
	c.checkToken(f)
	c.checkExchange(f)
	for i := range c.Clients {
		c.checkClient(i, f)
	}
	if i := slices.IndexFunc(c.Clients, func(client Client) bool { return client.AllowsGrant(Password) }); i >= 0 && c.Users == (Users{}) {
		f.Add("users", "must be set, with one of file, ldap and postgresql: clients[%d] may use the grant type password", i)
	}
}

func (c *Config) checkUsers(f *strictyaml.Findings) {
	sources := 0
	if c.Users.File != "" {
		sources++
	}
	if c.Users.LDAP != nil {
		c.Users.LDAP.check(f)
		sources++
	}
	if c.Users.PostgreSQL != nil {
		c.Users.PostgreSQL.check(f)
		sources++
	}
	if sources > 1 {
		f.Add("users", "must have only one of file, ldap and postgresql")
	}
}

// isHTTPS reports whether a text is an https URL without a password, which would be logged.
func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil
}

// isIssuer reports whether a text is valid as an issuer identifier (RFC 8414 section 2) whose path the mux accepts
// unchanged.
func isIssuer(text string) bool {
	if !isHTTPS(text) || len(text) > 512 || strings.ContainsAny(text, "?#%{} ") {
		return false
	}
	u, _ := url.Parse(text) // validated above
	endpoint := strings.TrimSuffix(u.Path, "/") + "/token"
	return path.Clean(endpoint) == endpoint
}

func (c *Config) checkServer(f *strictyaml.Findings) {
	s := &c.Server
	for field, address := range map[string]string{"server.address": s.Address, "server.metricsAddress": s.MetricsAddress} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			f.Add(field, "must be host:port or :port, not %q", address)
		}
	}
	if s.TLS.CertFile == "" || s.TLS.KeyFile == "" {
		f.Add("server.tls", "certFile and keyFile must be set: tokens and passwords travel over TLS only")
	}
	if s.MaxConnections < 1 || s.MaxConnections > 1<<20 {
		f.Add("server.maxConnections", "must be between 1 and 1048576")
	}
	if d := time.Duration(s.DrainFor); d < 0 || d > time.Minute {
		f.Add("server.drainFor", "must be between 0s and 1m")
	}
	if s.ForwardedHeader != XForwardedFor && s.ForwardedHeader != Forwarded {
		f.Add("server.forwardedHeader", "must be %s or %s", XForwardedFor, Forwarded)
	}
	if s.ProxyProtocol && len(s.TrustedProxies) == 0 {
		f.Add("server.proxyProtocol", "needs server.trustedProxies: the networks of the proxies whose PROXY header is trusted")
	}
	if s.MutualTLS != nil {
		s.MutualTLS.check(f)
	}
	s.checkURLs(f)
}

// checkURLs checks the URLs and origins that clients use.
func (s *Server) checkURLs(f *strictyaml.Findings) {
	for _, alias := range s.TokenEndpointAliases {
		if !isHTTPS(alias) || strings.ContainsAny(alias, "?#") {
			f.Add("server.tokenEndpointAliases", "must be https URLs without user, query or fragment, but has %q", alias)
		}
	}
	for _, origin := range s.AllowedOrigins {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Contains(origin, "*") || origin != u.Scheme+"://"+u.Host {
			f.Add("server.allowedOrigins", "%q is not an origin like https://app.example.com", origin)
		}
	}
}

func checkLimit(f *strictyaml.Findings, field string, limit Limit) {
	if every := time.Duration(limit.Every); limit.Burst < 1 || limit.Burst > 1_000_000 || every < time.Millisecond || every > time.Hour {
		f.Add(field, "needs a burst between 1 and 1000000, and every between 1ms and 1h")
	}
}

func (c *Config) checkToken(f *strictyaml.Findings) {
	if l := time.Duration(c.Token.Lifetime); l < time.Second || l > 24*time.Hour {
		f.Add("token.lifetime", "must be between 1s and 24h, not %v", l)
	}
	checkAudiences(f, "token.audiences", c.Token.Audiences)
	checkScopes(f, "token.scopes", c.Token.Scopes)
	checkClaims(f, "token.claims", c.Token.Claims)
	c.checkEncryption(f)
}

func checkAudiences(f *strictyaml.Findings, field string, audiences []string) {
	if len(audiences) == 0 {
		f.Add(field, "must name at least one audience: a token without an audience would be valid for every service")
	}
	if slices.ContainsFunc(audiences, func(a string) bool { return a == "" || len(a) > 512 }) {
		f.Add(field, "each audience must have 1 to 512 characters")
	}
}

// scopeToken is RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,128}$`)

func checkScopes(f *strictyaml.Findings, field string, scopes []string) {
	for _, scope := range scopes {
		if !scopeToken.MatchString(scope) {
			f.Add(field, "%q is not a scope (RFC 6749 section 3.3)", scope)
		}
	}
}

// IsScope reports whether a text is one scope-token (RFC 6749 section 3.3).
func IsScope(text string) bool { return scopeToken.MatchString(text) }

package config

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
)

// The version and kind of a configuration file.
const (
	APIVersion = "issuer.keywright.dev/v1alpha1"
	Kind       = "IssuerConfiguration"
)

// Config is the validated configuration of an issuer.
type Config struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	// Issuer is the iss of all tokens, and the base URL of the endpoints: an https URL without query or fragment (RFC
	// 8414 section 2).
	Issuer     string     `yaml:"issuer"`
	Server     Server     `yaml:"server"`
	SigningKey SigningKey `yaml:"signingKey"`
	Users      Users      `yaml:"users"`
	Login      Login      `yaml:"login"`
	Token      Token      `yaml:"token"`
	// TokenExchange lists the issuers whose tokens clients can exchange.
	TokenExchange []TrustedIssuer `yaml:"tokenExchange"`
	Clients       []Client        `yaml:"clients"`

	byID map[string]*Client
}

// Server configures the listeners and the trusted proxies.
type Server struct {
	// Address is the address of the HTTPS listener, by default ":8443".
	Address string `yaml:"address"`
	// MetricsAddress is the address of the plaintext listener for /metrics, /healthz and /readyz, by default ":8081".
	MetricsAddress string `yaml:"metricsAddress"`
	TLS            TLS    `yaml:"tls"`
	// MutualTLS configures the listener for clients that authenticate with a certificate. By default, there is none.
	MutualTLS *MutualTLS `yaml:"mutualTLS"`
	// MaxConnections is the maximum number of open connections, by default 2048. Further ones wait in the kernel's
	// queue.
	MaxConnections int `yaml:"maxConnections"`
	// TrustedProxies are the networks of proxies whose ForwardedHeader is trusted.
	TrustedProxies []Network `yaml:"trustedProxies"`
	// ProxyProtocol enables the PROXY protocol on connections of trusted proxies that pass TLS through.
	ProxyProtocol bool `yaml:"proxyProtocol"`
	// ForwardedHeader is the trusted header of the proxies: X-Forwarded-For, the default, or Forwarded (RFC 7239).
	// The proxies must remove it from client requests or append to it.
	ForwardedHeader string `yaml:"forwardedHeader"`
	// TokenEndpointAliases are additional URLs of the token endpoint, which proofs may name (htu, RFC 9449 section
	// 4.2).
	TokenEndpointAliases []string `yaml:"tokenEndpointAliases"`
	// AllowedOrigins are the origins (RFC 6454) of scripts that may request tokens.
	AllowedOrigins []string `yaml:"allowedOrigins"`
	// DrainFor is how long a stopping issuer reports that it is not ready but still serves requests, until it is
	// removed from load balancing.
	DrainFor Duration `yaml:"drainFor"`
	// Pprof serves /debug/pprof on MetricsAddress.
	Pprof bool `yaml:"pprof"`
}

// IsTrustedProxy reports whether an address is in TrustedProxies.
func (s *Server) IsTrustedProxy(address netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(n Network) bool { return n.Contains(address.Unmap()) })
}

// The headers in which proxies pass the client address.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded"
)

// TLS contains the paths of the certificate and the key, PEM, as in a kubernetes.io/tls Secret.
type TLS struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// SigningKey contains the paths of mounted volumes.
type SigningKey struct {
	// Directory is the volume of the signing-key Secret.
	Directory string `yaml:"directory"`
	// KeySetDirectory is the volume of the ConfigMap keywright-jwks, by default /var/run/keywright/jwks. Its
	// revocation list stops signing if the Secret cannot be written.
	KeySetDirectory string `yaml:"keySetDirectory"`
}

// Users configures the source of users: a file, an LDAP directory or a database. Without one, the password grant
// accepts nobody.
type Users struct {
	// File is the path of the list of users.
	File       string      `yaml:"file"`
	LDAP       *LDAP       `yaml:"ldap"`
	PostgreSQL *PostgreSQL `yaml:"postgresql"`
}

// Login limits failed logins, per replica.
type Login struct {
	// FailuresPerUser limits failed logins per user name and network, by default 5 and then one per 10 s.
	FailuresPerUser Limit `yaml:"failuresPerUser"`
	// FailuresPerNetwork limits failed logins per network (an IPv4 address, an IPv6 /64), by default 50 and then one
	// per second.
	FailuresPerNetwork Limit `yaml:"failuresPerNetwork"`
}

// Limit allows a burst, and one more per Every.
type Limit struct {
	Burst int      `yaml:"burst"`
	Every Duration `yaml:"every"`
}

// Token configures access tokens.
type Token struct {
	// Lifetime is exp - iat, by default 15 minutes. The maximum in the policy of the signing key takes precedence if
	// it is shorter.
	Lifetime Duration `yaml:"lifetime"`
	// Audiences is the default aud of tokens.
	Audiences []string `yaml:"audiences"`
	// Scopes are the default scopes that a client may request.
	Scopes []string `yaml:"scopes"`
	// Claims are the default claims.
	Claims Claims `yaml:"claims"`
	// Encryption lists the audiences whose tokens are encrypted (RFC 7516).
	Encryption []Encryption `yaml:"encryption"`
}

// Claims maps claims of the token to attributes of the user.
type Claims map[string]string

// Client is an OAuth client (RFC 6749 section 2).
type Client struct {
	// ID is the client_id.
	ID string `yaml:"id"`
	// Public is true for a client that cannot keep a secret (RFC 6749 section 2.1).
	Public bool `yaml:"public"`
	// SecretSHA256 is the SHA-256 of the client secret, in hex. A secret is random, so it needs no slow hash.
	SecretSHA256 string `yaml:"secretSHA256"`
	// PublicKeys verify the assertions of private_key_jwt (RFC 7523 section 2.2).
	PublicKeys []PublicKey `yaml:"publicKeys"`
	// CertificateName is a DNS name or a URI in the client certificate (tls_client_auth, RFC 8705 section 2.1.2).
	// Tokens of the client are bound to that certificate.
	CertificateName string `yaml:"certificateName"`
	// AssertionAudience is the only accepted aud of the client's assertions: "issuer", the default, as the revision
	// of RFC 7523 of 2025 requires, or "tokenEndpoint" for libraries that send the URL of the token endpoint (RFC
	// 7523 section 3).
	AssertionAudience string `yaml:"assertionAudience"`
	// EncryptionKey is the key that all tokens of the client are encrypted for (RFC 7516), by default none.
	EncryptionKey *PublicKey `yaml:"encryptionKey"`
	// GrantTypes are the grant types that the client may use.
	GrantTypes []string `yaml:"grantTypes"`
	// SubjectIssuers are the names of the trusted issuers whose tokens the client may exchange.
	SubjectIssuers []string `yaml:"subjectIssuers"`
	// Audiences replaces that of Token if it is set, even to an empty list.
	Audiences []string `yaml:"audiences"`
	// Scopes replaces that of Token if it is set, even to an empty list.
	Scopes []string `yaml:"scopes"`
	// Claims replaces that of Token if it is set, even to an empty map.
	Claims Claims `yaml:"claims"`
	// Refresh enables refresh tokens (RFC 6749 section 6) for a client with the grant password.
	Refresh *Refresh `yaml:"refresh"`
	// DPoPBoundAccessTokens binds all tokens of the client to a key, for which each request must have a proof (RFC
	// 9449 section 5).
	DPoPBoundAccessTokens bool `yaml:"dpopBoundAccessTokens"`
	// DPoPRequireNonce requires proofs with a nonce of this issuer (RFC 9449 section 8).
	DPoPRequireNonce bool `yaml:"dpopRequireNonce"`
	// RevocationList allows the client to read the revocation list at /revoked. The client must have a secret.
	RevocationList bool `yaml:"revocationList"`

	// overrides tells which of Audiences, Scopes and Claims are set, and need to be checked.
	overrides struct{ audiences, scopes, claims bool }
	digest    []byte
	keys      jose.JSONWebKeySet
}

// Refresh limits the sessions of a client. The limits of the SigningKey apply too.
type Refresh struct {
	// Lifetime is the lifetime of a refresh token, by default 12 h.
	Lifetime Duration `yaml:"lifetime"`
	// SessionLifetime is the maximum time between login and the last refresh, by default 720 h.
	SessionLifetime Duration `yaml:"sessionLifetime"`
	// DPoP binds refresh tokens to a key of the client, for which each refresh must have a proof (RFC 9449 section
	// 5). A login without a proof gets no refresh token. It is mandatory for public clients. Otherwise client
	// authentication binds them.
	DPoP bool `yaml:"dpop"`
}

// The values of AssertionAudience.
const (
	AudienceIssuer        = "issuer"
	AudienceTokenEndpoint = "tokenEndpoint"
)

// TokenEndpoint returns the URL of the token endpoint.
func (c *Config) TokenEndpoint() string { return strings.TrimSuffix(c.Issuer, "/") + "/token" }

// AudienceOf returns the required aud of a client's assertions.
func (c *Config) AudienceOf(client *Client) string {
	if client.AssertionAudience == AudienceTokenEndpoint {
		return c.TokenEndpoint()
	}
	return c.Issuer
}

// SecretDigest returns the SHA-256 of the client secret, nil if there is none.
func (c *Client) SecretDigest() []byte { return c.digest }

// KeySet returns PublicKeys as a JWK Set.
func (c *Client) KeySet() *jose.JSONWebKeySet { return &c.keys }

// Client returns the client with an ID.
func (c *Config) Client(id string) (*Client, bool) {
	client, ok := c.byID[id]
	return client, ok
}

// GrantTypes returns the grant types of all clients, in the order of Grants.
func (c *Config) GrantTypes() []string {
	var used []string
	for _, grant := range append(Grants(), RefreshToken) {
		if slices.ContainsFunc(c.Clients, func(client Client) bool { return client.AllowsGrant(grant) }) {
			used = append(used, grant)
		}
	}
	return used
}

// NeedsRestart returns the first changed setting that a running issuer cannot apply, or "".
func (c *Config) NeedsRestart(next *Config) string {
	a, b := &c.Server, &next.Server
	switch {
	case c.Issuer != next.Issuer:
		return "issuer"
	case a.Address != b.Address:
		return "server.address"
	case a.MetricsAddress != b.MetricsAddress:
		return "server.metricsAddress"
	case a.TLS != b.TLS:
		return "server.tls"
	case !reflect.DeepEqual(a.MutualTLS, b.MutualTLS):
		return "server.mutualTLS"
	case a.MaxConnections != b.MaxConnections:
		return "server.maxConnections"
	case a.Pprof != b.Pprof:
		return "server.pprof"
	case c.SigningKey.Directory != next.SigningKey.Directory:
		return "signingKey.directory"
	case c.SigningKey.KeySetDirectory != next.SigningKey.KeySetDirectory:
		return "signingKey.keySetDirectory"
	case !reflect.DeepEqual(c.Users, next.Users):
		return "users"
	case c.Login != next.Login:
		return "login"
	case !slices.EqualFunc(c.TokenExchange, next.TokenExchange, sameKeys):
		return "tokenExchange[].name, issuer or keys"
	}
	return ""
}

func sameKeys(a, b TrustedIssuer) bool {
	return a.Name == b.Name && a.Issuer == b.Issuer && a.Keys == b.Keys
}

// defaults returns a Config with the default values.
func defaults() *Config {
	return &Config{
		SigningKey: SigningKey{KeySetDirectory: contract.MountPath},
		Server:     Server{Address: ":8443", MetricsAddress: ":8081", MaxConnections: 2048, ForwardedHeader: XForwardedFor},
		Login: Login{
			FailuresPerUser:    Limit{Burst: 5, Every: Duration(10 * time.Second)},
			FailuresPerNetwork: Limit{Burst: 50, Every: Duration(time.Second)},
		},
		Token: Token{Lifetime: Duration(15 * time.Minute)},
	}
}

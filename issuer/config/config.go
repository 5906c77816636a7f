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

// The version and kind that a configuration file must name.
const (
	APIVersion = "issuer.keywright.dev/v1alpha1"
	Kind       = "IssuerConfiguration"
)

// Config is the checked configuration of an issuer.
type Config struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	// Issuer is the iss of every token, and the base of the endpoints: an https URL without query or fragment (RFC 8414
	// section 2).
	Issuer     string     `yaml:"issuer"`
	Server     Server     `yaml:"server"`
	SigningKey SigningKey `yaml:"signingKey"`
	Users      Users      `yaml:"users"`
	Login      Login      `yaml:"login"`
	Token      Token      `yaml:"token"`
	// TokenExchange names whose tokens clients can exchange for ours.
	TokenExchange []TrustedIssuer `yaml:"tokenExchange"`
	Clients       []Client        `yaml:"clients"`

	byID map[string]*Client
}

// Server says where the issuer listens, and whom it believes.
type Server struct {
	// Address of the HTTPS listener, by default ":8443".
	Address string `yaml:"address"`
	// MetricsAddress of the one plaintext listener, for /metrics, /healthz and /readyz; by default ":8081".
	MetricsAddress string `yaml:"metricsAddress"`
	TLS            TLS    `yaml:"tls"`
	// MutualTLS is for clients that authenticate with a certificate, nil for none.
	MutualTLS *MutualTLS `yaml:"mutualTLS"`
	// MaxConnections bounds the connections that are open at once, by default 2048. More wait in the kernel's queue.
	MaxConnections int `yaml:"maxConnections"`
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []Network `yaml:"trustedProxies"`
	// ProxyProtocol reads a header of the PROXY protocol from connections of trusted proxies, those that pass TLS through.
	ProxyProtocol bool `yaml:"proxyProtocol"`
	// ForwardedHeader is the one header of the trusted proxies that is believed: X-Forwarded-For, the default, or Forwarded (RFC 7239). The
	// proxies must remove or append to what a client sent under this name.
	ForwardedHeader string `yaml:"forwardedHeader"`
	// TokenEndpointAliases are URLs by which clients reach the token endpoint, beside the one below the issuer: their proofs name them
	// (htu, RFC 9449 section 4.2).
	TokenEndpointAliases []string `yaml:"tokenEndpointAliases"`
	// AllowedOrigins are the origins (RFC 6454) whose scripts may ask for tokens.
	AllowedOrigins []string `yaml:"allowedOrigins"`
	// DrainFor is how long a stopping issuer says that it is not ready and still answers, so that nobody sends requests
	// here any more when it closes.
	DrainFor Duration `yaml:"drainFor"`
	// Pprof serves /debug/pprof on MetricsAddress.
	Pprof bool `yaml:"pprof"`
}

// Trusts reports whether an address is that of a trusted proxy.
func (s *Server) Trusts(address netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(n Network) bool { return n.Contains(address.Unmap()) })
}

// The headers that proxies write the address of a client into.
const (
	XForwardedFor = "X-Forwarded-For"
	Forwarded     = "Forwarded"
)

// TLS names the files of the certificate, PEM, as in a kubernetes.io/tls Secret.
type TLS struct {
	CertFile string `yaml:"certFile"`
	KeyFile  string `yaml:"keyFile"`
}

// SigningKey says what is mounted where.
type SigningKey struct {
	// Directory has the signing-key Secret.
	Directory string `yaml:"directory"`
	// KeySetDirectory has the ConfigMap keywright-jwks, /var/run/keywright/jwks if not set. Its revocation list stops the signing where
	// the Secret cannot be written.
	KeySetDirectory string `yaml:"keySetDirectory"`
}

// Users says where users come from: a file, a directory or a database. Without any, nobody can log in with a password.
type Users struct {
	// File is where the list of users is mounted.
	File       string      `yaml:"file"`
	LDAP       *LDAP       `yaml:"ldap"`
	PostgreSQL *PostgreSQL `yaml:"postgresql"`
}

// Login bounds how fast passwords can be guessed, on each replica.
type Login struct {
	// FailuresPerUser bounds failed logins of one name from one network, by default 5 and then one in 10 s.
	FailuresPerUser Limit `yaml:"failuresPerUser"`
	// FailuresPerNetwork bounds failed logins from one network (an IPv4 address, an IPv6 /64), by default 50 and then one a
	// second.
	FailuresPerNetwork Limit `yaml:"failuresPerNetwork"`
}

// Limit allows Burst at once, and one more each Every.
type Limit struct {
	Burst int      `yaml:"burst"`
	Every Duration `yaml:"every"`
}

// Token says what tokens are like.
type Token struct {
	// Lifetime is exp - iat, by default 15 minutes. A shorter maximum in the signing key's policy wins.
	Lifetime Duration `yaml:"lifetime"`
	// Audiences are the aud of tokens for clients that name none.
	Audiences []string `yaml:"audiences"`
	// Scopes are what clients that name none may ask for.
	Scopes []string `yaml:"scopes"`
	// Claims are those of clients that name none.
	Claims Claims `yaml:"claims"`
	// Encryption names the audiences whose tokens are encrypted for them (RFC 7516).
	Encryption []Encryption `yaml:"encryption"`
}

// Claims map a claim of the token to the attribute of the user that it shows.
type Claims map[string]string

// Client is an OAuth client (RFC 6749 section 2).
type Client struct {
	ID string `yaml:"id"`
	// Public marks a client that cannot keep a secret (RFC 6749 section 2.1).
	Public bool `yaml:"public"`
	// SecretSHA256 is the SHA-256 of the client's secret, in hex. A secret is random, so a slow hash would protect nothing.
	SecretSHA256 string `yaml:"secretSHA256"`
	// PublicKeys verify the assertions of a client that authenticates with private_key_jwt (RFC 7523 section 2.2).
	PublicKeys []PublicKey `yaml:"publicKeys"`
	// CertificateName is a DNS name or a URI of the certificate that the client authenticates with (tls_client_auth, RFC 8705 section 2.1.2).
	// Its tokens are bound to that certificate.
	CertificateName string `yaml:"certificateName"`
	// AssertionAudience is the aud that the client's assertions must have, and no other: "issuer", the default, as the revision of RFC 7523 of
	// 2025 wants it, or "tokenEndpoint" for libraries that still send the URL of the token endpoint (RFC 7523 section 3).
	AssertionAudience string `yaml:"assertionAudience"`
	// EncryptionKey, if set, is what all tokens of the client are encrypted for (RFC 7516).
	EncryptionKey *PublicKey `yaml:"encryptionKey"`
	// GrantTypes are what the client may use.
	GrantTypes []string `yaml:"grantTypes"`
	// SubjectIssuers are the names of the trusted issuers whose tokens the client can exchange.
	SubjectIssuers []string `yaml:"subjectIssuers"`
	// Audiences, Scopes and Claims replace those of Token where they are set, also to none.
	Audiences []string `yaml:"audiences"`
	Scopes    []string `yaml:"scopes"`
	Claims    Claims   `yaml:"claims"`
	// Refresh lets a client with the grant password stay logged in, with refresh tokens (RFC 6749 section 6).
	Refresh *Refresh `yaml:"refresh"`
	// DPoPBoundAccessTokens binds all tokens of the client to a key of its own, for which each request must show a proof (RFC 9449 section 5).
	DPoPBoundAccessTokens bool `yaml:"dpopBoundAccessTokens"`
	// DPoPRequireNonce accepts only proofs with a nonce of this issuer (RFC 9449 section 8).
	DPoPRequireNonce bool `yaml:"dpopRequireNonce"`
	// RevocationList lets the client read the revocation list from the endpoint /revoked. It needs a secret.
	RevocationList bool `yaml:"revocationList"`

	// own tells which of Audiences, Scopes and Claims are not those of Token, and are checked by themselves.
	own    struct{ audiences, scopes, claims bool }
	digest []byte
	keys   jose.JSONWebKeySet
}

// Refresh bounds the sessions of a client. The sessions of the SigningKey bound them, too.
type Refresh struct {
	// Lifetime is how long a refresh token is good, by default 12 h: how long a client can be away.
	Lifetime Duration `yaml:"lifetime"`
	// SessionLifetime is how long after the login tokens can be got for it, by default 720 h.
	SessionLifetime Duration `yaml:"sessionLifetime"`
	// DPoP binds refresh tokens to a key of the client, for which each refresh must show a proof (RFC 9449 section 5): without a proof, a
	// login gets no refresh token. Public clients need it. Otherwise the authentication of the client binds them.
	DPoP bool `yaml:"dpop"`
}

// The values of AssertionAudience.
const (
	AudienceIssuer        = "issuer"
	AudienceTokenEndpoint = "tokenEndpoint"
)

// TokenEndpoint is the URL of the token endpoint.
func (c *Config) TokenEndpoint() string { return strings.TrimSuffix(c.Issuer, "/") + "/token" }

// AudienceOf is the aud that the assertions of a client must have.
func (c *Config) AudienceOf(client *Client) string {
	if client.AssertionAudience == AudienceTokenEndpoint {
		return c.TokenEndpoint()
	}
	return c.Issuer
}

// SecretDigest is the SHA-256 of the client's secret, nil if it has none.
func (c *Client) SecretDigest() []byte { return c.digest }

// KeySet is PublicKeys as a set.
func (c *Client) KeySet() *jose.JSONWebKeySet { return &c.keys }

// Client returns a client by its ID.
func (c *Config) Client(id string) (*Client, bool) {
	client, ok := c.byID[id]
	return client, ok
}

// GrantTypes are those that at least one client may use, in the order of Grants.
func (c *Config) GrantTypes() []string {
	var used []string
	for _, grant := range append(Grants(), RefreshToken) {
		if slices.ContainsFunc(c.Clients, func(client Client) bool { return client.May(grant) }) {
			used = append(used, grant)
		}
	}
	return used
}

// NeedsRestart names the first setting of next that a running issuer cannot take over, empty if there is none.
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

// defaults are what a file need not say.
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

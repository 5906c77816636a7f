package config

import (
	"encoding/json"
	"fmt"
	"time"

	"sigs.k8s.io/yaml"
)

// The version and kind that a configuration file must name.
const (
	APIVersion = "issuer.keywright.dev/v1alpha1"
	Kind       = "IssuerConfiguration"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// Config is the checked configuration of an issuer.
type Config struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Issuer is the iss of every token, and the base of the endpoints: an https URL without query or fragment (RFC 8414
	// section 2).
	Issuer     string     `json:"issuer"`
	Server     Server     `json:"server"`
	SigningKey SigningKey `json:"signingKey"`
	Users      Users      `json:"users"`
	Token      Token      `json:"token"`
	Clients    []Client   `json:"clients"`
}

// Server says where the issuer listens.
type Server struct {
	// Address of the HTTPS listener, by default ":8443".
	Address string `json:"address"`
	// MetricsAddress of the one plaintext listener, for /metrics, /healthz and /readyz; by default ":8081".
	MetricsAddress string `json:"metricsAddress"`
	TLS            TLS    `json:"tls"`
}

// TLS names the files of the certificate, PEM, as in a kubernetes.io/tls Secret.
type TLS struct {
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
}

// SigningKey says where the signing-key Secret is mounted.
type SigningKey struct {
	Directory string `json:"directory"`
}

// Users says where the list of users is mounted. Without a file nobody can log in with a password.
type Users struct {
	File string `json:"file"`
}

// Token says what tokens are like.
type Token struct {
	// Lifetime is exp - iat, by default 15 minutes. A shorter maximum in the signing key's policy wins.
	Lifetime Duration `json:"lifetime"`
	// Audiences are the aud of tokens for clients that name none.
	Audiences []string `json:"audiences"`
	// Scopes are what clients that name none may ask for.
	Scopes []string `json:"scopes"`
}

// Client is an OAuth client (RFC 6749 section 2).
type Client struct {
	ID string `json:"id"`
	// Public marks a client that cannot keep a secret (RFC 6749 section 2.1).
	Public bool `json:"public"`
	// SecretSHA256 is the SHA-256 of the client's secret, in hex. A secret is random, so a slow hash would protect nothing.
	SecretSHA256 string `json:"secretSHA256"`
	// GrantTypes are what the client may use: password, client_credentials.
	GrantTypes []string `json:"grantTypes"`
	// Audiences and Scopes replace those of Token.
	Audiences []string `json:"audiences"`
	Scopes    []string `json:"scopes"`
}

// Duration is a time.Duration that is written like 15m.
type Duration time.Duration

// UnmarshalJSON reads a string that time.ParseDuration understands.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("a duration is a string like 15m, not %s", b)
	}
	parsed, err := time.ParseDuration(text)
	*d = Duration(parsed)
	return err
}

// Parse reads a configuration, YAML or JSON. A field that is unknown, repeated or of the wrong type is an error, and so is
// every value that cannot work: the error names all of them.
func Parse(b []byte) (*Config, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("the configuration is longer than %d bytes", MaxBytes)
	}
	c := Config{
		Server: Server{Address: ":8443", MetricsAddress: ":8081"},
		Token:  Token{Lifetime: Duration(15 * time.Minute)},
	}
	if err := yaml.UnmarshalStrict(b, &c); err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	c.inherit()
	return &c, c.check()
}

// inherit gives every client the audiences and scopes that it does not name.
func (c *Config) inherit() {
	for i := range c.Clients {
		client := &c.Clients[i]
		if len(client.Audiences) == 0 {
			client.Audiences = c.Token.Audiences
		}
		if len(client.Scopes) == 0 {
			client.Scopes = c.Token.Scopes
		}
	}
}

// Client returns a client by its ID.
func (c *Config) Client(id string) (Client, bool) {
	for i := range c.Clients {
		if c.Clients[i].ID == id {
			return c.Clients[i], true
		}
	}
	return Client{}, false
}

// NeedsRestart names the first setting of next that a running issuer cannot take over, empty if there is none.
func (c *Config) NeedsRestart(next *Config) string {
	switch {
	case c.Issuer != next.Issuer:
		return "issuer"
	case c.Server.Address != next.Server.Address:
		return "server.address"
	case c.Server.MetricsAddress != next.Server.MetricsAddress:
		return "server.metricsAddress"
	case c.Server.TLS != next.Server.TLS:
		return "server.tls"
	case c.SigningKey != next.SigningKey:
		return "signingKey.directory"
	case c.Users != next.Users:
		return "users.file"
	}
	return ""
}

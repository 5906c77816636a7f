package config

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/issuer/strictyaml"
)

// MaxBytes bounds a configuration file.
const MaxBytes = 1 << 20

// Parse reads a configuration, YAML or JSON. What Check finds is an error.
func Parse(b []byte) (*Config, error) {
	c, err := Check(b)
	if err != nil {
		return nil, err
	}
	c.index()
	return c, nil
}

// Check finds what is wrong with a configuration: a field that is unknown, repeated or of the wrong type, and every value that
// cannot work. The error names all of them, with their lines, and quotes no value that may be secret. The configuration that it
// also returns is good for reading the names of files, which may be wrong too; it is nil if nothing could be read.
func Check(b []byte) (*Config, error) {
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("the configuration is longer than %d bytes", MaxBytes)
	}
	c := defaults()
	f, err := strictyaml.Parse(b, "configuration", c)
	if err != nil {
		return nil, err
	}
	c.inherit()
	c.check(f)
	return c, f.Err()
}

// inherit gives everything what it does not name.
func (c *Config) inherit() {
	if c.Users.LDAP != nil {
		c.Users.LDAP.inherit()
	}
	if c.Users.PostgreSQL != nil {
		c.Users.PostgreSQL.inherit()
	}
	for i := range c.TokenExchange {
		if c.TokenExchange[i].Audience == "" {
			c.TokenExchange[i].Audience = c.Issuer
		}
	}
	for i := range c.Clients {
		client := &c.Clients[i]
		client.own.audiences, client.own.scopes, client.own.claims = client.Audiences != nil, client.Scopes != nil, client.Claims != nil
		if !client.own.audiences { // an empty list is one that was written down
			client.Audiences = c.Token.Audiences
		}
		if !client.own.scopes {
			client.Scopes = c.Token.Scopes
		}
		if !client.own.claims {
			client.Claims = c.Token.Claims
		}
		if client.Refresh != nil {
			client.Refresh.inherit()
		}
	}
}

func (r *Refresh) inherit() {
	if r.Lifetime == 0 {
		r.Lifetime = Duration(12 * time.Hour)
	}
	if r.SessionLifetime == 0 {
		r.SessionLifetime = max(r.Lifetime, Duration(720*time.Hour))
	}
}

func (c *Config) index() {
	c.byID = make(map[string]*Client, len(c.Clients))
	for i := range c.Clients {
		client := &c.Clients[i]
		client.digest, _ = hex.DecodeString(client.SecretSHA256) // checked
		if len(client.digest) == 0 {
			client.digest = nil
		}
		for j := range client.PublicKeys {
			client.keys.Keys = append(client.keys.Keys, client.PublicKeys[j].JSONWebKey)
		}
		c.byID[client.ID] = client
	}
}

// Duration is a time.Duration that is written like 15m.
type Duration time.Duration

// UnmarshalYAML reads a string that time.ParseDuration understands.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a duration like 15m", node.Line)}}
	}
	*d = Duration(parsed)
	return nil
}

// Network is a prefix of addresses, like 10.0.0.0/8.
type Network struct{ netip.Prefix }

// UnmarshalYAML reads a prefix.
func (n *Network) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := netip.ParsePrefix(node.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a network like 10.0.0.0/8", node.Line)}}
	}
	n.Prefix = parsed.Masked()
	return nil
}

// PublicKey is a public JWK (RFC 7517) that is written as YAML or JSON.
type PublicKey struct{ jose.JSONWebKey }

// UnmarshalYAML reads a JWK.
func (k *PublicKey) UnmarshalYAML(node *yaml.Node) error {
	wrong := &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: is not a public JWK (RFC 7517)", node.Line)}}
	var members map[string]any
	if node.Decode(&members) != nil {
		return wrong
	}
	text, err := json.Marshal(members)
	if err != nil {
		return wrong
	}
	if err := k.UnmarshalJSON(text); err != nil || !k.Valid() || !k.IsPublic() {
		return wrong
	}
	return nil
}

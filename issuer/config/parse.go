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

// MaxBytes limits a configuration file.
const MaxBytes = 1 << 20

// Parse parses a configuration in YAML or JSON. It returns an error if Check does.
func Parse(b []byte) (*Config, error) {
	c, err := Check(b)
	if err != nil {
		return nil, err
	}
	c.index()
	return c, nil
}

// Check reports unknown and duplicate fields, wrong types and invalid values. The error contains all of them, with
// lines, and no value that may be secret. The returned configuration may be invalid; use it only to find the names of
// files. It is nil if the file cannot be parsed.
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

// inherit sets the default values.
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
		client.overrides.audiences, client.overrides.scopes, client.overrides.claims = client.Audiences != nil, client.Scopes != nil, client.Claims != nil
		if !client.overrides.audiences { // an empty list is set explicitly
			client.Audiences = c.Token.Audiences
		}
		if !client.overrides.scopes {
			client.Scopes = c.Token.Scopes
		}
		if !client.overrides.claims {
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
		client.digest, _ = hex.DecodeString(client.SecretSHA256) // validated
		if len(client.digest) == 0 {
			client.digest = nil
		}
		for j := range client.PublicKeys {
			client.keys.Keys = append(client.keys.Keys, client.PublicKeys[j].JSONWebKey)
		}
		c.byID[client.ID] = client
	}
}

// Duration is a time.Duration in the form 15m.
type Duration time.Duration

// UnmarshalYAML parses the format of time.ParseDuration.
func (d *Duration) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := time.ParseDuration(node.Value)
	if node.Kind != yaml.ScalarNode || err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a duration like 15m", node.Line)}}
	}
	*d = Duration(parsed)
	return nil
}

// Network is an IP prefix, such as 10.0.0.0/8.
type Network struct{ netip.Prefix }

// UnmarshalYAML parses a prefix.
func (n *Network) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := netip.ParsePrefix(node.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: must be a network like 10.0.0.0/8", node.Line)}}
	}
	n.Prefix = parsed.Masked()
	return nil
}

// PublicKey is a public JWK (RFC 7517) in YAML or JSON.
type PublicKey struct{ jose.JSONWebKey }

// UnmarshalYAML parses a JWK.
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

package config

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"slices"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/jwks"
	"github.com/keywright/keywright/issuer/strictyaml"
	"github.com/keywright/keywright/issuer/token"
)

// Encryption configures an audience whose tokens are encrypted.
type Encryption struct {
	// Audience is the aud of the tokens.
	Audience string `yaml:"audience"`
	// Key is the public JWK that they are encrypted for.
	Key PublicKey `yaml:"key"`
}

// EncryptionKey returns the key for encrypting the tokens of a client for an audience, nil if they are not encrypted.
func (c *Config) EncryptionKey(client *Client, audience string) *jose.JSONWebKey {
	if client.EncryptionKey != nil {
		return &client.EncryptionKey.JSONWebKey
	}
	for i := range c.Token.Encryption {
		if c.Token.Encryption[i].Audience == audience {
			return &c.Token.Encryption[i].Key.JSONWebKey
		}
	}
	return nil
}

func (c *Config) checkEncryption(f *strictyaml.Findings) {
	for i := range c.Token.Encryption {
		e := &c.Token.Encryption[i]
		at := fmt.Sprintf("token.encryption[%d]", i)
		for j := range i {
			if c.Token.Encryption[j].Audience == e.Audience {
				f.Add(at+".audience", "is also the audience of token.encryption[%d]", j)
			}
		}
		if e.Audience == "" {
			f.Add(at+".audience", "must be set")
		}
		checkEncryptionKey(f, at+".key", &e.Key)
	}
}

// checkEncryption requires the encryption key to belong to the client, or to a single audience, because a token is
// encrypted for one recipient.
func (c *Client) checkEncryption(at string, encrypted []Encryption, f *strictyaml.Findings) {
	if c.EncryptionKey == nil {
		return
	}
	checkEncryptionKey(f, at+".encryptionKey", c.EncryptionKey)
	for i := range encrypted {
		if slices.Contains(c.Audiences, encrypted[i].Audience) {
			f.Add(at+".encryptionKey", "conflicts with token.encryption, which has a key for audience %q: remove one", encrypted[i].Audience)
		}
	}
}

// checkEncryptionKey requires an algorithm that the verifier supports. Others have a history of attacks, or use a
// shared secret.
func checkEncryptionKey(f *strictyaml.Findings, field string, key *PublicKey) {
	fits := false
	switch public := key.Key.(type) {
	case *ecdsa.PublicKey:
		fits = key.Algorithm == string(jose.ECDH_ES_A256KW)
	case *rsa.PublicKey:
		fits = key.Algorithm == string(jose.RSA_OAEP_256) && jwks.Strong(public)
	}
	if !fits || key.Use != "enc" || key.KeyID == "" {
		f.Add(field, "needs a kid, the use enc, and the alg %s (EC) or %s (RSA of %d to %d bits, with an exponent of at least %d)",
			jose.ECDH_ES_A256KW, jose.RSA_OAEP_256, jwks.MinRSABits, jwks.MaxRSABits, jwks.MinRSAExponent)
		return
	}
	if _, err := token.Encrypt("tried", &key.JSONWebKey); err != nil { // finds errors before the first token
		f.Add(field, "cannot be used by this process: %v", err)
	}
}

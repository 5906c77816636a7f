package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

const (
	issuerName = "https://issuer.example.com"
	audience   = "https://orders.example.com"
)

// issuer signs as Keywright's does, with one key of three that its set has: Standby, Active and Retired.
type issuer struct {
	algorithm jose.SignatureAlgorithm
	active    jose.JSONWebKey
	jwks      []byte
	signer    jose.Signer
	issued    int
	// thumbprint is that of the key that tokens are bound to, "" for bearer tokens.
	thumbprint string
}

func newIssuer(algorithm string) (*issuer, error) {
	i := &issuer{algorithm: jose.SignatureAlgorithm(algorithm)}
	var set jose.JSONWebKeySet
	for range 3 {
		private, err := generate(i.algorithm)
		if err != nil {
			return nil, err
		}
		key := jose.JSONWebKey{Key: private, Algorithm: algorithm, Use: "sig"}
		digest, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, err
		}
		key.KeyID = fmt.Sprintf("%x", digest)[:43] // as long as a thumbprint in base64url
		i.active = key
		set.Keys = append(set.Keys, key.Public())
	}
	var err error
	if i.jwks, err = json.Marshal(set); err != nil {
		return nil, err
	}
	i.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: i.algorithm, Key: i.active}, (&jose.SignerOptions{}).WithType("at+jwt"))
	return i, err
}

func generate(algorithm jose.SignatureAlgorithm) (crypto.Signer, error) {
	switch algorithm {
	case jose.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return rsa.GenerateKey(rand.Reader, 2048)
	}
}

// tokens issues tokens that differ in their jti.
func (i *issuer) tokens(count int) ([]string, error) {
	return i.tokensWith(i.signer, count)
}

func (i *issuer) tokensWith(signer jose.Signer, count int) ([]string, error) {
	tokens := make([]string, count)
	now := time.Now().Unix()
	for n := range tokens {
		i.issued++
		claims := map[string]any{
			"iss": issuerName, "sub": "9f1c6a52-3c44-4b0c-9d59-1f2f2a0f6b11", "aud": []string{audience}, "client_id": "web",
			"iat": now, "nbf": now, "exp": now + 3600, "jti": fmt.Sprintf("k3Jx2Lk1Q0yA%08d", i.issued),
			"scope": "orders:read orders:write", "groups": []string{"staff", "oncall"}, "email": "alice@example.com",
		}
		if i.thumbprint != "" {
			claims["cnf"] = map[string]string{"jkt": i.thumbprint}
		}
		payload, err := json.Marshal(claims)
		if err != nil {
			return nil, err
		}
		signed, err := signer.Sign(payload)
		if err != nil {
			return nil, err
		}
		if tokens[n], err = signed.CompactSerialize(); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

package token

import (
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
)

// Encrypt returns a signed token as a nested JWT (RFC 7519 section 5.2, RFC 7516), encrypted with the key's algorithm
// and A256GCM, without compression.
func Encrypt(compact string, key *jose.JSONWebKey) (string, error) {
	recipient := jose.Recipient{Algorithm: jose.KeyAlgorithm(key.Algorithm), Key: key.Key, KeyID: key.KeyID}
	encrypter, err := jose.NewEncrypter(jose.A256GCM, recipient, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return "", fmt.Errorf("encrypt for key %s: %w", key.KeyID, err)
	}
	encrypted, err := encrypter.Encrypt([]byte(compact))
	if err != nil {
		return "", fmt.Errorf("encrypt for key %s: %w", key.KeyID, err)
	}
	return encrypted.CompactSerialize()
}

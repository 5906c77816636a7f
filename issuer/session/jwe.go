package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/keywright/keywright/api/issuerfiles"
)

// typ is the typ of a refresh token (RFC 7516 section 4.1.11).
const typ = "keywright-refresh+json"

// The lengths of nonce and tag of AES-GCM (RFC 7518 section 5.3).
const (
	nonceLength = 12
	tagLength   = 16
)

// The JOSE header of a refresh token is the number of the key between these.
const (
	beforeNumber = `{"alg":"dir","enc":"A256GCM","kid":"`
	afterNumber  = `","typ":"` + typ + `"}`
)

func header(number int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(beforeNumber + strconv.FormatInt(number, 10) + afterNumber))
}

// encrypt returns a JWE in compact serialization (RFC 7516 section 7.1), with dir and A256GCM, whose kid is the
// number of the key. It does not use go-jose, because in FIPS mode Go's cryptographic module must generate the nonce.
func encrypt(key issuerfiles.SealingKey, payload []byte) (string, error) {
	aead, err := newGCM(key)
	if err != nil {
		return "", err
	}
	protected := header(key.Number)
	sealed := aead.Seal(nil, nil, payload, []byte(protected)) //nolint:gosec // it draws the nonce itself, and begins with it
	encode := base64.RawURLEncoding.EncodeToString
	tag := len(sealed) - tagLength
	return protected + ".." + encode(sealed[:nonceLength]) + "." + encode(sealed[nonceLength:tag]) + "." + encode(sealed[tag:]), nil
}

// decrypt opens the result of encrypt. Each part must have its canonical encoding.
func decrypt(keys issuerfiles.SealingKeys, compact string) ([]byte, error) {
	parts := strings.Split(compact, ".")
	if len(compact) > MaxBytes || len(parts) != 5 || parts[1] != "" {
		return nil, ErrInvalid
	}
	number, ok := keyNumber(parts[0])
	if !ok {
		return nil, ErrInvalid
	}
	key, known := keys.Find(number)
	switch {
	case !known && number > keys.Newest():
		return nil, ErrNewerKey
	case !known:
		return nil, ErrInvalid
	}
	var sealed []byte
	for i, length := range [...]int{nonceLength, -1, tagLength} {
		part, err := base64.RawURLEncoding.Strict().DecodeString(parts[i+2])
		if err != nil || length >= 0 && len(part) != length {
			return nil, ErrInvalid
		}
		sealed = append(sealed, part...)
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	payload, err := aead.Open(nil, nil, sealed, []byte(parts[0]))
	if err != nil {
		return nil, ErrInvalid
	}
	return payload, nil
}

// keyNumber returns the number of the key in a header. The header is authenticated later, with the tag.
func keyNumber(protected string) (int64, bool) {
	text, err := base64.RawURLEncoding.DecodeString(protected)
	digits, begins := strings.CutPrefix(string(text), beforeNumber)
	digits, ends := strings.CutSuffix(digits, afterNumber)
	if err != nil || !begins || !ends {
		return 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, err == nil
}

// newGCM returns an AES-GCM that generates its nonces (NIST SP 800-38D section 8.2.2).
func newGCM(key issuerfiles.SealingKey) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

package session

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/keywright/keywright/api/issuerfiles"
)

// typ is the type of a refresh token (RFC 7516 section 4.1.11).
const typ = "keywright-refresh+json"

// The lengths of what AES-GCM adds (RFC 7518 section 5.3).
const (
	nonceLength = 12
	tagLength   = 16
)

// The one JOSE header of refresh tokens has the number of the key between these.
const (
	beforeNumber = `{"alg":"dir","enc":"A256GCM","kid":"`
	afterNumber  = `","typ":"` + typ + `"}`
)

func header(number int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(beforeNumber + strconv.FormatInt(number, 10) + afterNumber))
}

// encrypt returns a JWE in compact form (RFC 7516 section 7.1), dir and A256GCM, whose kid is the number of the key. go-jose, which reads it, chooses
// nonces itself. Go's FIPS module must do that.
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

// decrypt opens what encrypt made, and nothing else: each part has one encoding, and the header one text.
func decrypt(keys issuerfiles.SealingKeys, compact string) ([]byte, error) {
	parts := strings.Split(compact, ".")
	if len(compact) > MaxBytes || len(parts) != 5 || parts[1] != "" {
		return nil, ErrInvalid
	}
	number, ok := numberOf(parts[0])
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

// numberOf returns the number of the key that a header names. That it is our header to the byte, the tag shows: it is authenticated along.
func numberOf(protected string) (int64, bool) {
	text, err := base64.RawURLEncoding.DecodeString(protected)
	digits, begins := strings.CutPrefix(string(text), beforeNumber)
	digits, ends := strings.CutSuffix(digits, afterNumber)
	if err != nil || !begins || !ends {
		return 0, false
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	return number, err == nil
}

// newGCM returns AES-GCM with nonces that it draws itself (NIST SP 800-38D section 8.2.2).
func newGCM(key issuerfiles.SealingKey) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key.Secret)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

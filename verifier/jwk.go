package verifier

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
)

// maxKeyIDBytes bounds a kid. An RFC 7638 thumbprint has 43.
const maxKeyIDBytes = 256

// key is one usable key of a set. Kid, algorithm and key are one value, so that no token can mix those of two keys.
type key struct {
	id        string
	algorithm jose.SignatureAlgorithm
	public    crypto.PublicKey      // *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey: what jose.Verify takes
	check     atomic.Pointer[Check] // of the Accelerator, nil until it is prepared
}

// errUnsupported marks a key of a kind that this package does not know. RFC 7517 section 5 says to ignore it.
var errUnsupported = errors.New("unsupported key")

// parseKey makes a key of the members of a JWK (RFC 7517 section 4) that says all we need: kid, alg and use. It returns
// errUnsupported for a kind that it does not know, and any other error for a key that must not be in a set of public
// signature keys, or that is broken.
func parseKey(jwk object) (*key, error) {
	if err := refuseSecret(jwk); err != nil {
		return nil, err
	}
	kty, err := text(jwk, "kty")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"EC", "OKP", "RSA"}, kty) {
		return nil, errUnsupported
	}
	alg, err := text(jwk, "alg")
	if err != nil {
		return nil, err
	}
	wantType, wantCurve := keyTypeOf(jose.SignatureAlgorithm(alg))
	if wantType == "" {
		return nil, errUnsupported
	}
	kid, err := text(jwk, "kid")
	if err != nil {
		return nil, err
	}
	if len(kid) > maxKeyIDBytes {
		return nil, fmt.Errorf("kid is longer than %d bytes", maxKeyIDBytes)
	}
	if err := checkUse(jwk); err != nil {
		return nil, err
	}
	crv, isText := textOf(jwk.find("crv"))
	if kty != wantType || crv != wantCurve || isText != jwk.has("crv") {
		return nil, fmt.Errorf("kty and crv do not fit alg %s", alg)
	}
	public, err := publicKey(kty, crv, jwk)
	if err != nil {
		return nil, err
	}
	return &key{id: kid, algorithm: jose.SignatureAlgorithm(alg), public: public}, nil
}

// refuseSecret returns an error for a key that holds, or is, a secret. Then the file is not what it should be: whoever
// can read it could sign tokens.
func refuseSecret(jwk object) error {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if jwk.has(name) {
			return fmt.Errorf("it has the private member %q: only public keys belong in this file", name)
		}
	}
	kty, _ := textOf(jwk.find("kty"))
	alg, _ := textOf(jwk.find("alg"))
	if kty == "oct" || strings.HasPrefix(alg, "HS") || strings.EqualFold(alg, "none") {
		return errors.New("it is for a symmetric algorithm or none: only public keys belong in this file")
	}
	return nil
}

// keyTypeOf returns the kty and crv that go with alg (RFC 7518 section 6, RFC 8037 section 2), or "" for an algorithm
// that this package does not offer. RSA keys have no crv. RSASSA-PSS is left out because go-jose accepts any length of
// the salt.
func keyTypeOf(alg jose.SignatureAlgorithm) (kty, crv string) {
	switch alg {
	case jose.ES256:
		return "EC", "P-256"
	case jose.ES384:
		return "EC", "P-384"
	case jose.ES512:
		return "EC", "P-521"
	case jose.EdDSA:
		return "OKP", "Ed25519"
	case jose.RS256, jose.RS384, jose.RS512:
		return "RSA", ""
	default:
		return "", ""
	}
}

// checkUse wants use to be sig, and key_ops, if there, to hold verify (RFC 7517 sections 4.2 and 4.3).
func checkUse(jwk object) error {
	if use, _ := textOf(jwk.find("use")); use != "sig" {
		return errors.New(`use is not "sig"`)
	}
	if !jwk.has("key_ops") {
		return nil
	}
	operations, _ := listOf(jwk.find("key_ops"))
	for _, operation := range operations {
		if name, _ := textOf(operation); name == "verify" {
			return nil
		}
	}
	return errors.New(`key_ops does not hold "verify"`)
}

// text returns a member that must be a string that is not empty.
func text(members object, name string) (string, error) {
	value, _ := textOf(members.find(name))
	if value == "" {
		return "", fmt.Errorf("%s is missing, empty or not a string", name)
	}
	return value, nil
}

// octets returns a member that must be base64url (RFC 7515 section 2) of at least one byte.
func octets(members object, name string) ([]byte, error) {
	value, err := text(members, name)
	if err != nil {
		return nil, err
	}
	data, err := decodeBase64(value)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64url", name)
	}
	return data, nil
}

// decodeBase64 decodes base64url without padding, of which there is one text for each value.
func decodeBase64(text string) ([]byte, error) { return appendBase64(nil, []byte(text)) }

// appendBase64 is decodeBase64 into a buffer. encoding/base64 skips line breaks, also when strict.
func appendBase64(into, text []byte) ([]byte, error) {
	for _, skipped := range [...]byte{'\r', '\n'} {
		if at := bytes.IndexByte(text, skipped); at >= 0 {
			return nil, base64.CorruptInputError(at)
		}
	}
	return base64.RawURLEncoding.Strict().AppendDecode(into, text)
}

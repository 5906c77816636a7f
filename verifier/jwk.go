package verifier

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// maxKeyIDBytes limits a kid. An RFC 7638 thumbprint has 43.
const maxKeyIDBytes = 256

// key is a usable key of a set. Key ID, algorithm and public key are one value, so that those of different keys
// cannot be mixed.
type key struct {
	id            string
	algorithm     jose.SignatureAlgorithm
	public        crypto.PublicKey      // *ecdsa.PublicKey, ed25519.PublicKey or *rsa.PublicKey: what jose.Verify takes
	preparedCheck atomic.Pointer[Check] // set by prepareKeys, nil until then
}

// parseKey parses a JWK (RFC 7517 section 4), which must have kid, alg and use. It returns jws.ErrUnsupported for an
// unknown key type or algorithm, which RFC 7517 section 5 says to ignore. It returns any other error for an invalid
// key, or one that must not be in a public key set.
func parseKey(jwk strictjson.Object) (*key, error) {
	if err := jws.RefuseSecret(jwk); err != nil {
		return nil, fmt.Errorf("%w: only public keys belong in this file", err)
	}
	kty, err := jws.StringMember(jwk, "kty")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"EC", "OKP", "RSA"}, kty) {
		return nil, jws.ErrUnsupported
	}
	alg, err := jws.StringMember(jwk, "alg")
	if err != nil {
		return nil, err
	}
	wantType, wantCurve := jws.KeyTypeOf(jose.SignatureAlgorithm(alg))
	if wantType == "" {
		return nil, jws.ErrUnsupported
	}
	kid, err := jws.StringMember(jwk, "kid")
	if err != nil {
		return nil, err
	}
	if len(kid) > maxKeyIDBytes {
		return nil, fmt.Errorf("kid is longer than %d bytes", maxKeyIDBytes)
	}
	if err := checkUse(jwk); err != nil {
		return nil, err
	}
	crv, isText := strictjson.Text(jwk.Find("crv"))
	if kty != wantType || crv != wantCurve || isText != jwk.Has("crv") {
		return nil, fmt.Errorf("kty and crv do not fit alg %s", alg)
	}
	public, err := jws.PublicKey(kty, crv, jwk)
	if err != nil {
		return nil, err
	}
	if point, isEdwards := public.(ed25519.PublicKey); isEdwards && !jws.OnCurve(point) {
		return nil, errors.New("x is not a point on the curve")
	}
	return &key{id: kid, algorithm: jose.SignatureAlgorithm(alg), public: public}, nil
}

// checkUse requires use to be sig, and key_ops to contain verify if present (RFC 7517 sections 4.2 and 4.3).
func checkUse(jwk strictjson.Object) error {
	if use, _ := strictjson.Text(jwk.Find("use")); use != "sig" {
		return errors.New(`use is not "sig"`)
	}
	if !jws.MayVerify(jwk) {
		return errors.New(`key_ops does not contain "verify"`)
	}
	return nil
}

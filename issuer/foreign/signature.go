package foreign

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that verified uses
	_ "crypto/sha512"
	"errors"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"
)

// ErrUnknownKey is that the key of a JWT is not in the set.
var ErrUnknownKey = errors.New("its key is not known")

// verifySignature wants the signature of the one key that the header names.
func (u *Unverified) verifySignature(keys *jose.JSONWebKeySet) error {
	key, err := u.keyOf(keys)
	if err != nil {
		return err
	}
	if !u.verified(key.Key) {
		return errors.New("its signature is wrong")
	}
	return nil
}

// keyOf finds the one key that a header names: by its kid, or the only one there is. It must be one for its algorithm.
func (u *Unverified) keyOf(keys *jose.JSONWebKeySet) (*jose.JSONWebKey, error) {
	var found *jose.JSONWebKey
	for i := range keys.Keys {
		key := &keys.Keys[i]
		if key.KeyID != u.kid && (u.kid != "" || len(keys.Keys) > 1) {
			continue
		}
		if found != nil {
			return nil, errors.New("two keys have its kid")
		}
		found = key
	}
	if found == nil {
		return nil, ErrUnknownKey
	}
	if (found.Use != "" && found.Use != "sig") || (found.Algorithm != "" && found.Algorithm != u.alg) {
		return nil, errors.New("its key is for something else")
	}
	return found, nil
}

// verified checks a signature (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1) with a key, which must be a public one of
// the type that the algorithm needs: a JOSE library would parse the token again.
func (u *Unverified) verified(key any) bool {
	switch jose.SignatureAlgorithm(u.alg) {
	case jose.ES256:
		return u.verifiedEC(key, crypto.SHA256, 256)
	case jose.ES384:
		return u.verifiedEC(key, crypto.SHA384, 384)
	case jose.ES512:
		return u.verifiedEC(key, crypto.SHA512, 521)
	case jose.RS256:
		return u.verifiedRSA(key, crypto.SHA256)
	case jose.RS384:
		return u.verifiedRSA(key, crypto.SHA384)
	case jose.RS512:
		return u.verifiedRSA(key, crypto.SHA512)
	case jose.EdDSA:
		public, ok := key.(ed25519.PublicKey)
		return ok && len(public) == ed25519.PublicKeySize && ed25519.Verify(public, []byte(u.signed), u.signature)
	default:
		return false
	}
}

// verifiedEC wants r and s, each as long as the order of the curve, and the curve that belongs to the hash.
func (u *Unverified) verifiedEC(key any, hash crypto.Hash, bits int) bool {
	public, ok := key.(*ecdsa.PublicKey)
	half := (bits + 7) / 8
	if !ok || public.Curve.Params().BitSize != bits || len(u.signature) != 2*half {
		return false
	}
	r, s := new(big.Int).SetBytes(u.signature[:half]), new(big.Int).SetBytes(u.signature[half:])
	return ecdsa.Verify(public, u.digest(hash), r, s)
}

func (u *Unverified) verifiedRSA(key any, hash crypto.Hash) bool {
	public, ok := key.(*rsa.PublicKey)
	return ok && strong(public) && rsa.VerifyPKCS1v15(public, hash, u.digest(hash), u.signature) == nil
}

func (u *Unverified) digest(hash crypto.Hash) []byte {
	h := hash.New()
	_, _ = h.Write([]byte(u.signed)) // never fails
	return h.Sum(nil)
}

package jwtverify

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"math/big"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/jwks"
)

// ErrUnknownKey is returned if the key of a JWT is not in the set.
var ErrUnknownKey = errors.New("its key is unknown")

// verifySignature verifies the signature with the key that the header names.
func (u *Unverified) verifySignature(keys *jose.JSONWebKeySet) error {
	key, err := u.keyOf(keys)
	if err != nil {
		return err
	}
	if !u.signatureValid(key.Key) {
		return errors.New("its signature is wrong")
	}
	return nil
}

// keyOf returns the key that a header names: by its kid, or the only key of the set. It must fit the algorithm. Some
// providers publish one key with the same kid for several algorithms.
func (u *Unverified) keyOf(keys *jose.JSONWebKeySet) (*jose.JSONWebKey, error) {
	var found *jose.JSONWebKey
	named := false
	for i := range keys.Keys {
		key := &keys.Keys[i]
		if key.KeyID != u.kid && (u.kid != "" || len(keys.Keys) > 1) {
			continue
		}
		named = true
		if (key.Use != "" && key.Use != "sig") || (key.Algorithm != "" && key.Algorithm != u.algorithm.Name) {
			continue
		}
		if found != nil {
			return nil, errors.New("two keys have its kid")
		}
		found = key
	}
	switch {
	case !named:
		return nil, ErrUnknownKey
	case found == nil:
		return nil, errors.New("the key that its kid names has another alg or use")
	}
	return found, nil
}

// signatureValid verifies a signature (RFC 7518 sections 3.3 and 3.4, RFC 8037 section 3.1) with a key that fits the
// algorithm. A JOSE library would parse the token again.
func (u *Unverified) signatureValid(key any) bool {
	if !jwks.FitsAlgorithm(u.algorithm, key) {
		return false
	}
	switch public := key.(type) {
	case *ecdsa.PublicKey:
		return u.ecdsaSignatureValid(public)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, u.algorithm.Hash, u.digest(), u.signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(public, []byte(u.signed), u.signature)
	}
	return false
}

// ecdsaSignatureValid verifies r and s, which must each have the length of the order of the curve.
func (u *Unverified) ecdsaSignatureValid(public *ecdsa.PublicKey) bool {
	half := (public.Curve.Params().BitSize + 7) / 8
	if len(u.signature) != 2*half {
		return false
	}
	r, s := new(big.Int).SetBytes(u.signature[:half]), new(big.Int).SetBytes(u.signature[half:])
	return ecdsa.Verify(public, u.digest(), r, s)
}

func (u *Unverified) digest() []byte {
	h := u.algorithm.Hash.New()
	_, _ = h.Write([]byte(u.signed)) // never fails
	return h.Sum(nil)
}

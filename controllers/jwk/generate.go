package jwk

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/jws"
	"github.com/keywright/keywright/controllers/rotation"
)

// Generate generates a key pair. Its kid is the RFC 7638 SHA-256 thumbprint; alg and use are always set, so that a
// verifier can pin the algorithm to the key. A pair whose kid begins with "-", one in 64, is discarded, since a command
// line takes such a kid for a flag.
func Generate(spec rotation.KeySpec) (rotation.Material, error) {
	for {
		made, err := generate(spec)
		if err != nil || !strings.HasPrefix(made.ID, "-") {
			return made, err
		}
	}
}

func generate(spec rotation.KeySpec) (rotation.Material, error) {
	private, err := newPrivateKey(spec)
	if err != nil {
		return rotation.Material{}, fmt.Errorf("generate a key for %s: %w", spec.Algorithm, err)
	}
	jwk := jose.JSONWebKey{Key: private, Algorithm: spec.Algorithm, Use: "sig"}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return rotation.Material{}, fmt.Errorf("thumbprint of a key for %s: %w", spec.Algorithm, err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	public := jwk.Public()
	publicJSON, err := public.MarshalJSON()
	if err != nil {
		return rotation.Material{}, fmt.Errorf("encode the public key %s: %w", jwk.KeyID, err)
	}
	privateJSON, err := jwk.MarshalJSON()
	if err != nil {
		return rotation.Material{}, fmt.Errorf("encode the private key %s", jwk.KeyID)
	}
	return rotation.Material{ID: jwk.KeyID, Public: publicJSON, Private: privateJSON}, nil
}

func newPrivateKey(spec rotation.KeySpec) (crypto.Signer, error) {
	algorithm, known := jws.Find(spec.Algorithm)
	if !known {
		return nil, fmt.Errorf("unknown algorithm %q", spec.Algorithm)
	}
	switch algorithm.KeyType {
	case jws.EC:
		return ecdsa.GenerateKey(algorithm.Curve, rand.Reader)
	case jws.OKP:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return rsa.GenerateKey(rand.Reader, spec.RSAKeySize)
	}
}

// Parse parses a key of a signing-key Secret, for a rebuild. The kid must be the thumbprint of the key, since no other
// was ever written.
func Parse(b []byte) (rotation.Key, error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(b); err != nil || !jwk.Valid() {
		return rotation.Key{}, fmt.Errorf("not a valid JWK")
	}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil || base64.RawURLEncoding.EncodeToString(thumbprint) != jwk.KeyID {
		return rotation.Key{}, fmt.Errorf("the kid of JWK %q is not its RFC 7638 thumbprint", jwk.KeyID)
	}
	k := rotation.Key{ID: jwk.KeyID, KeySpec: rotation.KeySpec{Algorithm: jwk.Algorithm}}
	public := jwk.Public()
	if rsaKey, ok := public.Key.(*rsa.PublicKey); ok {
		k.RSAKeySize = rsaKey.N.BitLen()
	}
	if k.Public, err = public.MarshalJSON(); err != nil {
		return rotation.Key{}, fmt.Errorf("encode the public key of JWK %s: %w", jwk.KeyID, err)
	}
	if !jwk.IsPublic() {
		k.Private = append(k.Private, b...)
	}
	return k, nil
}

package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/keywright/keywright/api/jws"
)

// TokenType is the typ of all tokens (RFC 9068 section 2.1).
const TokenType = "at+jwt"

// signer signs in compact serialization (RFC 7515 section 7.1). It encodes the protected header once per key, where a
// JOSE library encodes it per token.
type signer struct {
	// header is the protected header in base64url, with the following dot.
	header string
	key    crypto.Signer
	hash   crypto.Hash
	// coordinateBytes is the length of r and of s of an ECDSA signature (RFC 7518 section 3.4), 0 for other
	// algorithms.
	coordinateBytes int
	// signatureBytes is the length of a signature.
	signatureBytes int
}

// newSigner checks that the key has the type for its algorithm, and is on its curve.
func newSigner(jwk *jose.JSONWebKey) (*signer, error) {
	algorithm, known := jws.Find(jwk.Algorithm)
	if !known {
		return nil, fmt.Errorf("the algorithm %s is not supported", jwk.Algorithm)
	}
	key, signs := jwk.Key.(crypto.Signer)
	if !signs || !algorithm.Fits(key.Public()) {
		return nil, fmt.Errorf("its key type does not match %s", jwk.Algorithm)
	}
	header, err := json.Marshal(struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
		Type      string `json:"typ"`
	}{jwk.Algorithm, jwk.KeyID, TokenType})
	if err != nil {
		return nil, err
	}
	s := &signer{header: base64.RawURLEncoding.EncodeToString(header) + ".", key: key, hash: algorithm.Hash, signatureBytes: ed25519.SignatureSize}
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		s.coordinateBytes = (public.Curve.Params().BitSize + 7) / 8
		s.signatureBytes = 2 * s.coordinateBytes
	case *rsa.PublicKey:
		s.signatureBytes = public.Size()
	}
	return s, nil
}

func (s *signer) sign(payload []byte) (string, error) {
	b64 := base64.RawURLEncoding
	compact := make([]byte, 0, len(s.header)+b64.EncodedLen(len(payload))+1+b64.EncodedLen(s.signatureBytes))
	compact = append(compact, s.header...)
	compact = b64.AppendEncode(compact, payload)
	digest := compact
	if s.hash != 0 {
		h := s.hash.New()
		h.Write(compact)
		digest = h.Sum(nil)
	}
	signature, err := s.key.Sign(rand.Reader, digest, s.hash)
	if err == nil && s.coordinateBytes > 0 {
		signature, err = rawSignature(signature, s.coordinateBytes)
	}
	if err != nil {
		return "", err
	}
	return string(b64.AppendEncode(append(compact, '.'), signature)), nil
}

// rawSignature converts an ECDSA signature from ASN.1 to r and s of half bytes each.
func rawSignature(der []byte, half int) ([]byte, error) {
	out := make([]byte, 2*half)
	input := cryptobyte.String(der)
	var sequence cryptobyte.String
	var r, s []byte
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) ||
		len(r) > half || len(s) > half {
		return nil, errors.New("not an ECDSA signature")
	}
	copy(out[half-len(r):], r)
	copy(out[2*half-len(s):], s)
	return out, nil
}

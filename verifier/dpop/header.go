package dpop

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// maxRSABits limits the cost of a verification, because the key in a proof is not trusted.
const maxRSABits = 4096

// Algorithms returns the supported values of alg, in the order in which they are announced: ES256, EdDSA, Ed25519
// (the name of RFC 9864 for EdDSA with such a key) and RS256.
func Algorithms() []string { return []string{"ES256", "EdDSA", "Ed25519", "RS256"} }

// algorithmOf returns the algorithm for the alg of a proof, or "" if it is not in Algorithms.
func algorithmOf(alg string) jose.SignatureAlgorithm {
	switch alg {
	case "ES256":
		return jose.ES256
	case "EdDSA", "Ed25519":
		return jose.EdDSA
	case "RS256":
		return jose.RS256
	default:
		return ""
	}
}

// parseHeader parses the JOSE header (RFC 9449 section 4.2). It rejects parameters that add another key, change what
// is signed, or require an extension. Other parameters, such as kid, are ignored.
func parseHeader(text string, keys *Keys) (header, error) {
	var few [8]strictjson.Member
	members, err := strictjson.Parse(text, few[:0])
	if err != nil {
		return header{}, fmt.Errorf("%w: its header is not a valid JSON object, or has duplicate members", ErrMalformed)
	}
	for _, name := range [...]string{"crit", "b64", "jku", "x5u", "x5c", "zip", "enc", "epk", "p2c"} {
		if members.Has(name) {
			return header{}, fmt.Errorf("%w: its header has %s", ErrMalformed, name)
		}
	}
	if typ, _ := strictjson.Text(members.Find("typ")); jws.MediaType(typ) != "dpop+jwt" {
		return header{}, fmt.Errorf("%w: its typ is not dpop+jwt", ErrType)
	}
	alg, _ := strictjson.Text(members.Find("alg"))
	h := header{algorithm: algorithmOf(alg)}
	if h.algorithm == "" {
		return header{}, fmt.Errorf("%w: its alg is none, symmetric, unknown or missing", ErrAlgorithm)
	}
	h.jwk = members.Find("jwk")
	if known, found := keys.get(h.algorithm, h.jwk); found {
		return known, nil
	}
	var several [12]strictjson.Member
	jwk, err := strictjson.Parse(h.jwk, several[:0])
	if err != nil {
		return header{}, fmt.Errorf("%w: its jwk is missing or is not a JSON object", ErrKey)
	}
	if h.public, err = publicKey(h.algorithm, jwk); err != nil {
		return header{}, err
	}
	h.thumbprint = thumbprintOf(jwk)
	return h, nil
}

// publicKey returns the public key of a JWK, which must match the algorithm.
func publicKey(algorithm jose.SignatureAlgorithm, jwk strictjson.Object) (crypto.PublicKey, error) {
	if err := jws.RefuseSecret(jwk); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPrivateKey, err)
	}
	wantType, wantCurve := jws.KeyTypeOf(algorithm)
	kty, _ := strictjson.Text(jwk.Find("kty"))
	crv, _ := strictjson.Text(jwk.Find("crv"))
	if kty != wantType || crv != wantCurve {
		return nil, fmt.Errorf("%w: its kty and crv do not fit its alg", ErrKey)
	}
	if err := checkUse(algorithm, jwk); err != nil {
		return nil, err
	}
	public, err := jws.PublicKey(kty, crv, jwk)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	if key, isRSA := public.(*rsa.PublicKey); isRSA && key.N.BitLen() > maxRSABits {
		return nil, fmt.Errorf("%w: n has more than %d bits", ErrKey, maxRSABits)
	}
	return public, nil
}

// checkUse requires use, key_ops and alg of a JWK to match, if present (RFC 7517 sections 4.2 to 4.4). Browsers write
// alg and key_ops.
func checkUse(algorithm jose.SignatureAlgorithm, jwk strictjson.Object) error {
	if use, _ := strictjson.Text(jwk.Find("use")); jwk.Has("use") && use != "sig" {
		return fmt.Errorf("%w: its use is not sig", ErrKey)
	}
	if alg, _ := strictjson.Text(jwk.Find("alg")); jwk.Has("alg") && algorithmOf(alg) != algorithm {
		return fmt.Errorf("%w: its alg is not the alg of the proof", ErrKey)
	}
	if !jws.MayVerify(jwk) {
		return fmt.Errorf("%w: its key_ops do not contain verify", ErrKey)
	}
	return nil
}

// verifySignature reports whether signature is valid for the key in the header.
func (h *header) verifySignature(compact string, signature []byte) bool {
	var buffer [2 << 10]byte
	input := append(buffer[:0], compact[:strings.LastIndexByte(compact, '.')]...)
	return jws.VerifySignature(h.algorithm, h.public, input, signature)
}

// thumbprintOf returns the SHA-256 thumbprint of RFC 7638 section 3. The key was parsed before, so each of its
// members has a single encoding.
func thumbprintOf(jwk strictjson.Object) string {
	kty, _ := strictjson.Text(jwk.Find("kty"))
	var buffer [1 << 10]byte
	text := append(buffer[:0], '{')
	for i, name := range requiredMembers(kty) {
		if name == "" {
			break
		}
		value, _ := strictjson.Text(jwk.Find(name))
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, '"'), name...), `":"`...)
		text = append(append(text, value...), '"')
	}
	sum := sha256.Sum256(append(text, '}'))
	return encodeDigest(&sum)
}

// requiredMembers returns the sorted members for the thumbprint (RFC 7638 section 3.2, RFC 8037 section 2), padded
// with "".
func requiredMembers(kty string) [4]string {
	switch kty {
	case "EC":
		return [4]string{"crv", "kty", "x", "y"}
	case "OKP":
		return [4]string{"crv", "kty", "x"}
	default:
		return [4]string{"e", "kty", "n"}
	}
}

package verifier

import (
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
)

// largestToken bounds MaxTokenBytes, and what VerifySignature reads, in bytes.
const largestToken = 64 << 10

// signed is what a good signature vouches for.
type signed struct {
	payload []byte
	kid     string
	typ     string // as the header has it, "" if it has none
}

// header is the part of a JOSE header that we use.
type header struct {
	alg jose.SignatureAlgorithm
	kid string
	typ string
}

// VerifySignature checks the signature of a JWS in compact serialization (RFC 7515 section 7.1) of at most 64 KiB, and
// nothing else: neither its type nor any claim. For access tokens use Verifier.
//
// The key is the one of the set that has the token's kid, and its alg must be the token's. It returns the payload and
// the kid, or an error that is one of ErrMalformed, ErrWrongAlgorithm, ErrUnknownKey and ErrBadSignature.
func (s *KeySet) VerifySignature(compact string) (payload []byte, kid string, err error) {
	verified, err := s.verify(compact)
	if err != nil {
		return nil, "", err
	}
	return verified.payload, verified.kid, nil
}

// verify does the work of VerifySignature.
func (s *KeySet) verify(compact string) (*signed, error) {
	head, err := splitToken(compact)
	if err != nil {
		return nil, err
	}
	parsed, err := parseHeader(head)
	if err != nil {
		return nil, err
	}
	signer, found := s.keys[parsed.kid]
	if !found {
		return nil, fmt.Errorf("%w: no key of the set has its kid", ErrUnknownKey)
	}
	if parsed.alg != signer.algorithm {
		return nil, fmt.Errorf("%w: not the one of the key that its kid names", ErrWrongAlgorithm)
	}
	jws, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{signer.algorithm})
	if err != nil {
		// The cause is left out, here and below: it may quote the token.
		return nil, fmt.Errorf("%w: not a JWS", ErrMalformed)
	}
	payload, err := jws.Verify(signer.public)
	if err != nil {
		return nil, fmt.Errorf("%w: not made by the key that its kid names", ErrBadSignature)
	}
	return &signed{payload: payload, kid: signer.id, typ: parsed.typ}, nil
}

// splitToken checks that a token is three segments of base64url and returns the bytes of the first, the header. Each
// segment must be the one encoding of its bytes: else one signed token would have many texts.
func splitToken(compact string) ([]byte, error) {
	if len(compact) > largestToken {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, largestToken)
	}
	// One more than is right, so that a flood of dots is not split to its end.
	segments := strings.SplitN(compact, ".", 4)
	if len(segments) != 3 {
		return nil, fmt.Errorf("%w: not three segments", ErrMalformed)
	}
	var head []byte
	for i, segment := range segments {
		data, err := decodeBase64(segment)
		if err != nil || len(data) == 0 {
			return nil, fmt.Errorf("%w: segment %d is empty or not canonical base64url", ErrMalformed, i+1)
		}
		if i == 0 {
			head = data
		}
	}
	return head, nil
}

// parseHeader reads the JOSE header (RFC 7515 section 4). It refuses every parameter that would bring its own key,
// change what is signed, or demand an extension: we know no extension, and the key comes from the set alone. Other
// parameters are ignored, as the RFC asks.
func parseHeader(data []byte) (header, error) {
	object, err := decodeObject(data)
	if err != nil {
		return header{}, fmt.Errorf("%w: its header is not a strict JSON object", ErrMalformed)
	}
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "epk", "p2c"} {
		if _, found := object[name]; found {
			return header{}, fmt.Errorf("%w: its header has %s", ErrMalformed, name)
		}
	}
	alg, _ := object["alg"].(string)
	if kty, _ := keyTypeOf(jose.SignatureAlgorithm(alg)); kty == "" {
		return header{}, fmt.Errorf("%w: none, symmetric, unknown or missing", ErrWrongAlgorithm)
	}
	kid, _ := object["kid"].(string)
	if kid == "" || len(kid) > maxKeyIDBytes {
		return header{}, fmt.Errorf("%w: its kid is missing, not a string or too long", ErrMalformed)
	}
	typ, ok := object["typ"].(string)
	if _, found := object["typ"]; found && !ok {
		return header{}, fmt.Errorf("%w: its typ is not a string", ErrMalformed)
	}
	return header{alg: jose.SignatureAlgorithm(alg), kid: kid, typ: typ}, nil
}

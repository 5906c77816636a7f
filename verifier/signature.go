package verifier

import (
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The limits, in bytes, of MaxTokenBytes and VerifySignature, and of an encoded header, which usually has about 150.
const (
	largestToken   = 64 << 10
	maxHeaderBytes = 2 << 10
)

// signed is a payload and the header parameters that its signature covers.
type signed struct {
	payload string
	kid     string
	typ     string // "" if the header has none
}

// header holds the JOSE header parameters that are used.
type header struct {
	alg jose.SignatureAlgorithm
	kid string
	typ string
}

// VerifySignature verifies the signature of a JWS in compact serialization (RFC 7515 section 7.1) of at most 64 KiB.
// It checks neither the type nor any claim: for access tokens use Verifier.
//
// The key is the one with the token's kid, and its alg must be the token's. It returns the payload and the kid, or an
// error that is one of ErrMalformed, ErrWrongAlgorithm, ErrUnknownKey and ErrBadSignature.
func (s *KeySet) VerifySignature(compact string) (payload []byte, kid string, err error) {
	verified, err := s.verify(compact)
	if err != nil {
		return nil, "", err
	}
	return []byte(verified.payload), verified.kid, nil
}

// verify implements VerifySignature.
func (s *KeySet) verify(compact string) (signed, error) {
	if len(compact) > largestToken {
		return signed{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, largestToken)
	}
	segments := splitToken(compact)
	parsed, err := parseHeader(segments[0])
	if err != nil {
		return signed{}, err
	}
	signer, found := s.keys[parsed.kid]
	if !found {
		return signed{}, errUnknownKid
	}
	if parsed.alg != signer.algorithm {
		return signed{}, fmt.Errorf("%w: it is not the alg of the key that its kid names", ErrWrongAlgorithm)
	}
	for i, segment := range segments {
		if _, err := decodeSegment(i, segment); err != nil {
			return signed{}, err
		}
	}
	message, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{signer.algorithm})
	if err != nil {
		// The cause is omitted, here and below: it may quote the token.
		return signed{}, fmt.Errorf("%w: not a JWS", ErrMalformed)
	}
	payload, err := message.Verify(signer.public)
	if err != nil {
		return signed{}, errForged
	}
	return signed{payload: string(payload), kid: signer.id, typ: parsed.typ}, nil
}

// splitToken splits a token at its first two dots. A further dot makes the last segment invalid, and a missing one
// makes a segment empty.
func splitToken(compact string) (segments [3]string) {
	rest := ""
	segments[0], rest, _ = strings.Cut(compact, ".")
	segments[1], segments[2], _ = strings.Cut(rest, ".")
	return segments
}

// decodeSegment decodes a segment, which must be non-empty canonical base64url, so that a signed token has only one
// encoding.
func decodeSegment(index int, segment string) ([]byte, error) {
	return appendSegment(nil, index, []byte(segment))
}

// appendSegment is like decodeSegment, and appends to a buffer.
func appendSegment(into []byte, index int, segment []byte) ([]byte, error) {
	data, err := jws.AppendBase64(into, segment)
	if err != nil || len(segment) == 0 {
		return nil, fmt.Errorf("%w: segment %d is empty or not canonical base64url", ErrMalformed, index+1)
	}
	return data, nil
}

// parseHeader parses the JOSE header (RFC 7515 section 4). It rejects parameters that embed a key, change what is
// signed, or require an extension. Other unknown parameters are ignored, as the RFC requires.
func parseHeader(segment string) (header, error) {
	if len(segment) > maxHeaderBytes {
		return header{}, fmt.Errorf("%w: its header is longer than %d bytes", ErrMalformed, maxHeaderBytes)
	}
	data, err := decodeSegment(0, segment)
	if err != nil {
		return header{}, err
	}
	var few [8]strictjson.Member
	members, err := strictjson.Parse(string(data), few[:0])
	if err != nil {
		return header{}, fmt.Errorf("%w: its header is not a valid JSON object, or has duplicate members", ErrMalformed)
	}
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "epk", "p2c"} {
		if members.Has(name) {
			return header{}, fmt.Errorf("%w: its header has %s", ErrMalformed, name)
		}
	}
	alg, _ := strictjson.Text(members.Find("alg"))
	if kty, _ := jws.KeyTypeOf(jose.SignatureAlgorithm(alg)); kty == "" {
		return header{}, fmt.Errorf("%w: its alg is none, symmetric, unknown or missing", ErrWrongAlgorithm)
	}
	kid, _ := strictjson.Text(members.Find("kid"))
	if kid == "" || len(kid) > maxKeyIDBytes {
		return header{}, fmt.Errorf("%w: its kid is missing, not a string or too long", ErrMalformed)
	}
	typ, ok := strictjson.Text(members.Find("typ"))
	if members.Has("typ") && !ok {
		return header{}, fmt.Errorf("%w: its typ is not a string", ErrMalformed)
	}
	return header{alg: jose.SignatureAlgorithm(alg), kid: kid, typ: typ}, nil
}

package verifier

import (
	"fmt"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The bounds, in bytes, of MaxTokenBytes and of what VerifySignature reads, and of an encoded header, which has about 150:
// what is longer is refused before anything is done with it.
const (
	largestToken   = 64 << 10
	maxHeaderBytes = 2 << 10
)

// signed is what a good signature vouches for.
type signed struct {
	payload string
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
	return []byte(verified.payload), verified.kid, nil
}

// verify does the work of VerifySignature.
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
		return signed{}, fmt.Errorf("%w: not the one of the key that its kid names", ErrWrongAlgorithm)
	}
	for i, segment := range segments {
		if _, err := decodeSegment(i, segment); err != nil {
			return signed{}, err
		}
	}
	message, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{signer.algorithm})
	if err != nil {
		// The cause is left out, here and below: it may quote the token.
		return signed{}, fmt.Errorf("%w: not a JWS", ErrMalformed)
	}
	payload, err := message.Verify(signer.public)
	if err != nil {
		return signed{}, errForged
	}
	return signed{payload: string(payload), kid: signer.id, typ: parsed.typ}, nil
}

// splitToken cuts a token at its first two dots. A third one is in the last segment, which is then no base64url, and of
// too few dots one segment is empty.
func splitToken(compact string) (segments [3]string) {
	rest := ""
	segments[0], rest, _ = strings.Cut(compact, ".")
	segments[1], segments[2], _ = strings.Cut(rest, ".")
	return segments
}

// decodeSegment decodes a segment, which must be the one encoding of at least one byte: else one signed token would have
// many texts.
func decodeSegment(index int, segment string) ([]byte, error) {
	return appendSegment(nil, index, []byte(segment))
}

// appendSegment is decodeSegment into a buffer.
func appendSegment(into []byte, index int, segment []byte) ([]byte, error) {
	data, err := jws.AppendBase64(into, segment)
	if err != nil || len(segment) == 0 {
		return nil, fmt.Errorf("%w: segment %d is empty or not canonical base64url", ErrMalformed, index+1)
	}
	return data, nil
}

// parseHeader reads the JOSE header (RFC 7515 section 4). It refuses every parameter that would bring its own key,
// change what is signed, or demand an extension: we know no extension, and the key comes from the set alone. Other
// parameters are ignored, as the RFC asks.
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
		return header{}, fmt.Errorf("%w: its header is not a strict JSON object", ErrMalformed)
	}
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "epk", "p2c"} {
		if members.Has(name) {
			return header{}, fmt.Errorf("%w: its header has %s", ErrMalformed, name)
		}
	}
	alg, _ := strictjson.Text(members.Find("alg"))
	if kty, _ := jws.KeyTypeOf(jose.SignatureAlgorithm(alg)); kty == "" {
		return header{}, fmt.Errorf("%w: none, symmetric, unknown or missing", ErrWrongAlgorithm)
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

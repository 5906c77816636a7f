package dpop

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/verifier/internal/jws"
	"github.com/keywright/keywright/verifier/internal/strictjson"
)

// The header fields for the proof (RFC 9449 section 4.1), and for the nonce that a server requires in the next one
// (section 8).
const (
	Header      = "DPoP"
	NonceHeader = "DPoP-Nonce"
)

// The limits of a proof. An ES256 proof has some 700 bytes, an RS256 proof with a key of 4096 bits under 2,000.
const (
	maxBytes   = 4 << 10
	maxIDBytes = 255
	latestDate = 253402300799 // the end of the year 9999
)

// Proof is a DPoP proof (RFC 9449 section 4.2) whose signature, type, algorithm, key, htm and htu are verified.
type Proof struct {
	// Thumbprint is the RFC 7638 SHA-256 thumbprint of the key in base64url, for comparison with cnf.jkt.
	Thumbprint string
	// ID is jti: 1 to 255 bytes.
	ID string
	// IssuedAt is iat, to the second.
	IssuedAt time.Time
	// Nonce is nonce, "" if there is none.
	Nonce string
	// AccessTokenHash is ath, "" if there is none.
	AccessTokenHash string
}

// Check verifies one proof for a request (RFC 9449 section 4.3, checks 1 to 9). headerValues are all values of the
// field DPoP; there must be exactly one, of at most 4 KiB. It must be a JWS in compact serialization of strict JSON,
// with typ dpop+jwt, an alg of Algorithms, and a jwk that is a public key of that algorithm, RSA with 2048 to 4096
// bits, and verifies the signature.
//
// htm must equal method. htu must equal one of the absolute URLs, after normalization of both (RFC 3986 sections
// 6.2.2 and 6.2.3), without query and fragment.
//
// The caller checks freshness, nonce, ath and replays. The error wraps one of those of this package, and does not
// quote the proof.
func Check(headerValues []string, method string, urls ...string) (*Proof, error) {
	return check(nil, headerValues, method, urls)
}

func check(keys *Keys, headerValues []string, method string, urls []string) (*Proof, error) {
	switch {
	case len(headerValues) == 0:
		return nil, ErrMissing
	case len(headerValues) > 1:
		return nil, ErrSeveral
	case len(headerValues[0]) > maxBytes:
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxBytes)
	}
	s, err := decode(headerValues[0])
	if err != nil {
		return nil, err
	}
	head, err := parseHeader(s.header, keys)
	if err != nil {
		return nil, err
	}
	proof, err := parseClaims(s.claims, method, urls)
	if err != nil {
		return nil, err
	}
	if !head.verifySignature(headerValues[0], s.signature()) {
		return nil, fmt.Errorf("%w: it does not match the key in its jwk", ErrSignature)
	}
	keys.add(head)
	proof.Thumbprint = head.thumbprint
	return proof, nil
}

// segments are the decoded parts of a proof.
type segments struct {
	header, claims string
	signed         [maxSignatureBytes]byte
	length         int
}

// maxSignatureBytes is the length of the signature of an RSA key of 4096 bits.
const maxSignatureBytes = 512

func (s *segments) signature() []byte { return s.signed[:s.length] }

// decode decodes the segments of a proof. Each must be non-empty canonical base64url, so that a signed proof has only
// one encoding.
func decode(compact string) (s segments, err error) {
	header, rest, _ := strings.Cut(compact, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	var buffer [3 << 10]byte // large enough for most proofs
	decoded, ends := buffer[:0], [3]int{}
	for i, segment := range [...]string{header, claims, signature} {
		var text [2 << 10]byte
		before := len(decoded)
		decoded, err = jws.AppendBase64(decoded, append(text[:0], segment...))
		if err != nil || len(decoded) == before {
			return s, fmt.Errorf("%w: segment %d is empty or not canonical base64url", ErrMalformed, i+1)
		}
		ends[i] = len(decoded)
	}
	if ends[2]-ends[1] > maxSignatureBytes {
		return s, fmt.Errorf("%w: longer than the signature of a %d-bit RSA key", ErrSignature, maxRSABits)
	}
	text := string(decoded[:ends[1]])
	s.header, s.claims = text[:ends[0]], text[ends[0]:]
	s.length = copy(s.signed[:], decoded[ends[1]:])
	return s, nil
}

// parseClaims parses the claims (RFC 9449 section 4.2) and ignores unknown ones.
func parseClaims(text, method string, urls []string) (*Proof, error) {
	var few [12]strictjson.Member
	claims, err := strictjson.Parse(text, few[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: its claims are not a valid JSON object, or have duplicate members", ErrMalformed)
	}
	proof := &Proof{}
	if proof.ID, err = stringClaim(claims, "jti"); err != nil {
		return nil, err
	}
	if len(proof.ID) > maxIDBytes {
		return nil, fmt.Errorf("%w: its jti is longer than %d bytes", ErrClaims, maxIDBytes)
	}
	htm, err := stringClaim(claims, "htm")
	if err != nil {
		return nil, err
	}
	htu, err := stringClaim(claims, "htu")
	if err != nil {
		return nil, err
	}
	var ok bool
	if proof.IssuedAt, ok = parseNumericDate(claims.Find("iat")); !ok {
		return nil, fmt.Errorf("%w: its iat is missing or is not a NumericDate", ErrClaims)
	}
	for _, optional := range [...]struct {
		name string
		into *string
	}{{"nonce", &proof.Nonce}, {"ath", &proof.AccessTokenHash}} {
		if !claims.Has(optional.name) {
			continue
		}
		if *optional.into, err = stringClaim(claims, optional.name); err != nil {
			return nil, err
		}
	}
	if htm != method {
		return nil, fmt.Errorf("%w: its htm is not the method of the request", ErrMethod)
	}
	if !matchesURL(htu, urls) {
		return nil, fmt.Errorf("%w: its htu is not the URL of the request", ErrURL)
	}
	return proof, nil
}

// stringClaim returns a claim that must be a non-empty string.
func stringClaim(claims strictjson.Object, name string) (string, error) {
	text, err := jws.StringMember(claims, name)
	if err != nil {
		return "", fmt.Errorf("%w: its %w", ErrClaims, err)
	}
	return text, nil
}

// parseNumericDate parses a NumericDate (RFC 7519 section 2) and truncates it to the second.
func parseNumericDate(value string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds < 0 || seconds > latestDate {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// AccessTokenHash returns the ath of an access token (RFC 9449 section 4.2): its SHA-256 in base64url.
func AccessTokenHash(token string) string {
	var buffer [2 << 10]byte // avoids a heap allocation for most tokens
	sum := sha256.Sum256(append(buffer[:0], token...))
	return encodeDigest(&sum)
}

// encodeDigest returns the base64url encoding of a digest.
func encodeDigest(sum *[sha256.Size]byte) string {
	var encoded [43]byte
	base64.RawURLEncoding.Encode(encoded[:], sum[:])
	return string(encoded[:])
}

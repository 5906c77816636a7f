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

// The names of the header fields: of the proof (RFC 9449 section 4.1), and of the nonce that a server wants in the next one
// (section 8).
const (
	Header      = "DPoP"
	NonceHeader = "DPoP-Nonce"
)

// The bounds of a proof. An ES256 proof has some 700 bytes, an RS256 proof with a key of 4096 bits under 2,000.
const (
	maxBytes   = 4 << 10
	maxIDBytes = 255
	latestDate = 253402300799 // the end of the year 9999
)

// Proof is a DPoP proof (RFC 9449 section 4.2) whose signature, type, algorithm, key, htm and htu were checked.
type Proof struct {
	// Thumbprint is the RFC 7638 SHA-256 thumbprint of its key, base64url: what cnf.jkt names.
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

// Check checks one proof for a request (RFC 9449 section 4.3, checks 1 to 9). headerValues are all values of the field DPoP: there
// must be exactly one, of at most 4 KiB. It must be a JWS in compact serialization of strict JSON, with typ dpop+jwt, an alg of
// Algorithms, and a jwk that is a public key of that algorithm, RSA with 2048 to 4096 bits, which has signed it.
//
// htm must equal method. htu must equal one of the URLs, which are absolute, once both are normalized as RFC 3986 sections 6.2.2 and
// 6.2.3 say; queries and fragments do not count.
//
// Freshness, nonce, ath and replays are the caller's. The error wraps one of those of this package, and quotes no part of a proof.
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
	if !head.signed(headerValues[0], s.signature()) {
		return nil, fmt.Errorf("%w: not made by the key in its jwk", ErrSignature)
	}
	keys.keep(head)
	proof.Thumbprint = head.thumbprint
	return proof, nil
}

// segments are the decoded parts of a proof.
type segments struct {
	header, claims string
	signed         [maxSignatureBytes]byte
	length         int
}

// maxSignatureBytes is the length of a signature of an RSA key of 4096 bits.
const maxSignatureBytes = 512

func (s *segments) signature() []byte { return s.signed[:s.length] }

// decode takes a proof apart. Each segment must be the one encoding of at least one byte: else one signed proof would have many texts.
func decode(compact string) (s segments, err error) {
	header, rest, _ := strings.Cut(compact, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	var buffer [3 << 10]byte // has room for all segments of most proofs
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
		return s, fmt.Errorf("%w: longer than one of an RSA key of %d bits", ErrSignature, maxRSABits)
	}
	text := string(decoded[:ends[1]])
	s.header, s.claims = text[:ends[0]], text[ends[0]:]
	s.length = copy(s.signed[:], decoded[ends[1]:])
	return s, nil
}

// parseClaims reads the claims (RFC 9449 section 4.2). Those that it does not name are ignored.
func parseClaims(text, method string, urls []string) (*Proof, error) {
	var few [12]strictjson.Member
	claims, err := strictjson.Parse(text, few[:0])
	if err != nil {
		return nil, fmt.Errorf("%w: its claims are not a strict JSON object", ErrMalformed)
	}
	proof := &Proof{}
	if proof.ID, err = textClaim(claims, "jti"); err != nil {
		return nil, err
	}
	if len(proof.ID) > maxIDBytes {
		return nil, fmt.Errorf("%w: its jti is longer than %d bytes", ErrClaims, maxIDBytes)
	}
	htm, err := textClaim(claims, "htm")
	if err != nil {
		return nil, err
	}
	htu, err := textClaim(claims, "htu")
	if err != nil {
		return nil, err
	}
	var ok bool
	if proof.IssuedAt, ok = dateOf(claims.Find("iat")); !ok {
		return nil, fmt.Errorf("%w: its iat is missing or no date", ErrClaims)
	}
	for _, optional := range [...]struct {
		name string
		into *string
	}{{"nonce", &proof.Nonce}, {"ath", &proof.AccessTokenHash}} {
		if !claims.Has(optional.name) {
			continue
		}
		if *optional.into, err = textClaim(claims, optional.name); err != nil {
			return nil, err
		}
	}
	if htm != method {
		return nil, fmt.Errorf("%w: its htm is not the method of the request", ErrMethod)
	}
	if !names(htu, urls) {
		return nil, fmt.Errorf("%w: its htu is not the URL of the request", ErrURL)
	}
	return proof, nil
}

// textClaim returns a claim that must be a string that is not empty.
func textClaim(claims strictjson.Object, name string) (string, error) {
	text, err := jws.TextMember(claims, name)
	if err != nil {
		return "", fmt.Errorf("%w: its %w", ErrClaims, err)
	}
	return text, nil
}

// dateOf reads a NumericDate (RFC 7519 section 2), which may have a fraction: it is dropped.
func dateOf(value string) (time.Time, bool) {
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil || seconds < 0 || seconds > latestDate {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// AccessTokenHash returns the ath of an access token (RFC 9449 section 4.2): its SHA-256, base64url.
func AccessTokenHash(token string) string {
	var buffer [2 << 10]byte // spares most tokens a copy on the heap
	sum := sha256.Sum256(append(buffer[:0], token...))
	return digestText(&sum)
}

// digestText encodes a digest.
func digestText(sum *[sha256.Size]byte) string {
	var encoded [43]byte
	base64.RawURLEncoding.Encode(encoded[:], sum[:])
	return string(encoded[:])
}

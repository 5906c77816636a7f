package jwtverify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/keywright/keywright/api/jws"
)

// MaxBytes limits a JWT, and maxHeader its encoded header.
const (
	MaxBytes  = 8 << 10
	maxHeader = 2 << 10
)

// errForm is the error for a text that is not a JWT in compact serialization.
var errForm = errors.New("it is not a JWT in compact form")

// Unverified is a parsed JWT that is not verified. Use it only to find the keys of its issuer.
type Unverified struct {
	algorithm jws.Algorithm
	kid, typ  string
	claims    map[string]any
	// signed is the JWS Signing Input.
	signed    string
	signature []byte
}

// Issuer returns the unverified iss.
func (u *Unverified) Issuer() string { return u.text("iss") }

// Subject returns the unverified sub.
func (u *Unverified) Subject() string { return u.text("sub") }

func (u *Unverified) text(claim string) string {
	text, _ := u.claims[claim].(string)
	return text
}

// Parse parses a JWT in compact serialization (RFC 7519, RFC 7515 section 7.1) of at most MaxBytes. No error quotes
// it.
func Parse(compact string) (*Unverified, error) {
	if len(compact) > MaxBytes {
		return nil, fmt.Errorf("it is longer than %d bytes", MaxBytes)
	}
	end := strings.LastIndexByte(compact, '.')
	header, payload, ok := strings.Cut(compact[:max(end, 0)], ".")
	if !ok || len(header) > maxHeader {
		return nil, errForm
	}
	u := &Unverified{signed: compact[:end]}
	if err := u.readHeader(header); err != nil {
		return nil, err
	}
	claims, err := decode(payload)
	if err != nil {
		return nil, err
	}
	if u.claims, err = parseObject(claims); err != nil {
		return nil, fmt.Errorf("its payload is %w", err)
	}
	u.signature, err = decode(compact[end+1:])
	return u, err
}

// readHeader parses the header. It rejects embedded keys, compression, encryption and critical extensions (RFC 7515
// section 4.1.11, RFC 8725 sections 3.9 and 3.10).
func (u *Unverified) readHeader(encoded string) error {
	text, err := decode(encoded)
	if err != nil {
		return err
	}
	header, err := parseObject(text)
	if err != nil {
		return fmt.Errorf("its header is %w", err)
	}
	for _, name := range []string{"crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "epk", "p2c"} {
		if _, ok := header[name]; ok {
			return fmt.Errorf("its header has %s, which is not accepted", name)
		}
	}
	var alg string
	for name, field := range map[string]*string{"alg": &alg, "kid": &u.kid, "typ": &u.typ} {
		value, there := header[name]
		if *field, _ = value.(string); there && *field == "" {
			return fmt.Errorf("the %s of its header is empty or not a string", name)
		}
	}
	var accepted bool
	if u.algorithm, accepted = jws.Find(alg); !accepted {
		return errors.New("its alg is missing or not supported")
	}
	return nil
}

// decode decodes canonical base64url, so that a signed token has only one encoding. Go's decoder skips line breaks.
func decode(segment string) ([]byte, error) {
	if segment == "" || strings.ContainsAny(segment, "\r\n") {
		return nil, errForm
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return nil, errForm
	}
	return b, nil
}

package issuerca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// MaxBytes is the maximum length of the text for Parse.
const MaxBytes = 32 << 10

const (
	// certificateType is the PEM label of a certificate (RFC 7468 section 5).
	certificateType = "CERTIFICATE"
	// beginning is the start of a PEM block (RFC 7468 section 3).
	beginning = "-----BEGIN "
)

// ErrEmpty is returned for a text without any certificate.
var ErrEmpty = errors.New("it has no certificate: add the certificate of the CA, in PEM")

// Parse parses at most most PEM certificates of CAs, or self-signed ones. It returns them in DER, sorted, without
// duplicates. It refuses a text with other PEM blocks as a whole, and ignores text between blocks (RFC 7468 section 2).
// No error quotes the text.
func Parse(text string, most int) ([][]byte, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("it has %d bytes, more than %d: remove CAs that do not certify this issuer", len(text), MaxBytes)
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, errors.New("it has a private key, so nothing is copied: remove the key, and replace it, because everyone who can read the ConfigMap could read it")
	}
	var all [][]byte
	rest, blocks := []byte(text), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks++
		if block.Type != certificateType {
			return nil, fmt.Errorf("PEM block %d is not a CERTIFICATE: remove it", blocks)
		}
		if err := check(block.Bytes); err != nil {
			return nil, fmt.Errorf("certificate %d %w", blocks, err)
		}
		all = append(all, block.Bytes)
	}
	switch begun := strings.Count(text, beginning); {
	case begun != blocks:
		return nil, fmt.Errorf("%d PEM blocks begin but %d can be read: correct the damaged one", begun, blocks)
	case blocks == 0:
		return nil, ErrEmpty
	}
	slices.SortFunc(all, bytes.Compare)
	all = slices.CompactFunc(all, bytes.Equal)
	if len(all) > most {
		return nil, fmt.Errorf("it has %d certificates, more than %d: remove CAs that do not certify this issuer", len(all), most)
	}
	return all, nil
}

// check refuses certificates that are not of a CA. That of a server is replaced every few weeks, without an overlap.
func check(der []byte) error {
	c, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return errors.New("cannot be parsed: it is damaged, or in a form that Go does not support")
	case c.BasicConstraintsValid && c.IsCA:
		return nil
	case bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil:
		return nil
	}
	return errors.New("is neither a CA certificate nor self-signed: use the certificate of the CA that issued it")
}

// Encode returns certificates in PEM. Equal certificates in the same order give equal bytes.
func Encode(certificates [][]byte) string {
	var b strings.Builder
	for _, der := range certificates {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: der}))
	}
	return b.String()
}

// Expiry returns the earliest expiry of the certificates, the zero time if there are none.
func Expiry(certificates [][]byte) time.Time {
	var first time.Time
	for _, der := range certificates {
		if c, err := x509.ParseCertificate(der); err == nil && (first.IsZero() || c.NotAfter.Before(first)) {
			first = c.NotAfter
		}
	}
	return first
}

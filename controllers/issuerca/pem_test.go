package issuerca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/controllers/issuerca"
)

var notAfter = time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC)

// certificates are possible contents of a ConfigMap: CAs, a self-signed certificate, and one of a server.
type certificates struct{ one, two, selfSigned, server, key string }

func newCertificates(t testing.TB) certificates {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(name string, ca bool, parent *x509.Certificate, ends time.Time) (string, *x509.Certificate) {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: notAfter.AddDate(-20, 0, 0), NotAfter: ends,
			BasicConstraintsValid: ca, IsCA: ca,
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), template
	}
	var c certificates
	var ca *x509.Certificate
	c.one, ca = sign("one", true, nil, notAfter)
	c.two, _ = sign("two", true, nil, notAfter.AddDate(1, 0, 0))
	c.selfSigned, _ = sign("itself", false, nil, notAfter)
	c.server, _ = sign("server", false, ca, notAfter)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c.key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return c
}

func TestParseTakesCertificatesOfCAs(t *testing.T) {
	c := newCertificates(t)
	for name, text := range map[string]string{
		"one":              c.one,
		"self-signed":      c.selfSigned,
		"with a comment":   "# my CA\n" + c.one + "\ntrailing text, and - dashes\n",
		"with PEM headers": strings.Replace(c.one, "\n", "\nComment: a CA\n\n", 1),
		"Windows lines":    strings.ReplaceAll(c.one, "\n", "\r\n"),
		"the same twice":   c.one + c.one,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := issuerca.Parse(text, 1)
			if err != nil || len(got) != 1 {
				t.Fatalf("%d certificates, %v", len(got), err)
			}
			if encoded := issuerca.Encode(got); encoded != c.one && encoded != c.selfSigned {
				t.Errorf("encoded anew:\n%s", encoded)
			}
		})
	}
	there, err := issuerca.Parse(c.one+c.two, 2)
	back, err2 := issuerca.Parse(c.two+c.one, 2)
	if err != nil || err2 != nil || issuerca.Encode(there) != issuerca.Encode(back) {
		t.Errorf("the order matters: %v, %v", err, err2)
	}
	if at := issuerca.Expiry(there); !at.Equal(notAfter) {
		t.Errorf("the first expires at %v", at)
	}
}

func TestParseRefusesTheWholeSet(t *testing.T) {
	c := newCertificates(t)
	damaged := strings.Replace(c.two, "-----END", "----END", 1)
	flipped := strings.Replace(c.two, "MII", "AAA", 1)
	if flipped == c.two {
		flipped = strings.Replace(c.two, "\nM", "\nA", 1)
	}
	for name, want := range map[string]struct{ text, says string }{
		"nothing":                    {"", "no certificate"},
		"text":                       {"hello", "no certificate"},
		"a private key":              {c.one + c.key, "private key"},
		"a private key first":        {c.key + c.one, "private key"},
		"a private key that is cut":  {c.one + c.key[:60], "private key"},
		"an encrypted private key":   {c.one + strings.ReplaceAll(c.key, "PRIVATE", "ENCRYPTED PRIVATE"), "private key"},
		"a public key":               {c.one + strings.ReplaceAll(c.key, "PRIVATE", "PUBLIC"), "block 2 is not a CERTIFICATE"},
		"a private key, mislabelled": {c.one + strings.ReplaceAll(c.key, "PRIVATE KEY", "CERTIFICATE"), "certificate 2 cannot be parsed"},
		"a trusted certificate":      {strings.ReplaceAll(c.one, "CERTIFICATE", "TRUSTED CERTIFICATE"), "block 1 is not a CERTIFICATE"},
		"the certificate of a server": {
			c.one + c.server, "certificate 2 is neither a CA certificate nor self-signed",
		},
		"one that is cut":          {c.one + damaged, "damaged"},
		"one that is cut, first":   {damaged + c.one, "damaged"},
		"one with another content": {c.one + flipped, "certificate 2 cannot be parsed"},
		"too many":                 {c.one + c.two, "2 certificates"},
		"too large":                {strings.Repeat("#", issuerca.MaxBytes) + c.one, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			most := 2
			if name == "too many" {
				most = 1
			}
			got, err := issuerca.Parse(want.text, most)
			if err == nil || len(got) > 0 || !strings.Contains(err.Error(), want.says) {
				t.Fatalf("%d certificates, error %v", len(got), err)
			}
			if strings.Contains(err.Error(), "hello") || strings.Contains(err.Error(), "MI") {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
}

// For any input, the result has only certificates, and parsing it again gives the same.
func FuzzParse(f *testing.F) {
	c := newCertificates(f)
	for _, seed := range []string{"", c.one, c.one + c.two, c.server, c.selfSigned, c.key, c.one + c.key, "# x\n" + c.one + "y", c.one[:len(c.one)/2], "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := issuerca.Parse(text, 4)
		if err != nil {
			if len(got) > 0 {
				t.Fatal("certificates beside an error")
			}
			return
		}
		if len(got) == 0 || len(got) > 4 || !slices.IsSortedFunc(got, bytes.Compare) {
			t.Fatalf("%d certificates", len(got))
		}
		for _, der := range got {
			if _, err := x509.ParseCertificate(der); err != nil {
				t.Fatal(err)
			}
		}
		encoded := issuerca.Encode(got)
		if again, err := issuerca.Parse(encoded, 4); err != nil || issuerca.Encode(again) != encoded {
			t.Fatalf("what is written is read otherwise: %v", err)
		}
	})
}

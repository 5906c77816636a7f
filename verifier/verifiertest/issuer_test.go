package verifiertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/dpop"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// Each option does what it says, and the verifier that everybody uses finds it so.
func TestOptions(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v := issuer.Verifier()
	for name, c := range map[string]struct {
		option verifiertest.Option
		want   error
	}{
		"Claim":              {verifiertest.Claim("x", 1), nil},
		"Claim, taken away":  {verifiertest.Claim("jti", nil), nil},
		"Expired":            {verifiertest.Expired(), verifier.ErrExpired},
		"ForAudience":        {verifiertest.ForAudience("a", "b"), verifier.ErrWrongAudience},
		"ForAudience, ours":  {verifiertest.ForAudience("a", verifiertest.Audience), nil},
		"FromStranger":       {verifiertest.FromStranger(), verifier.ErrUnknownKey},
		"OfType":             {verifiertest.OfType("JWT"), verifier.ErrWrongType},
		"BoundTo":            {verifiertest.BoundTo(verifiertest.NewClient(t)), verifier.ErrProof},
		"BoundToCertificate": {verifiertest.BoundToCertificate(&x509.Certificate{Raw: []byte("c")}), verifier.ErrProof},
	} {
		if _, err := v.Verify(t.Context(), issuer.Token("alice", c.option)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestTokenHasTheRequestedClaims(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	token, err := issuer.Verifier().Verify(t.Context(), issuer.Token("alice",
		verifiertest.Scope("orders:read", "orders:write"), verifiertest.Claim("groups", []string{"staff"}), verifiertest.Claim("jti", "id-1")))
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject() != "alice" || token.Issuer() != verifiertest.IssuerName || token.ClientID() != verifiertest.ClientID || token.ID() != "id-1" ||
		!slices.Equal(token.Scopes(), []string{"orders:read", "orders:write"}) || !slices.Equal(token.List("groups"), []string{"staff"}) ||
		token.Expiry().Sub(token.IssuedAt()) != 10*time.Minute || token.Bound() {
		t.Errorf("%+v", token)
	}
}

// An issuer with a clock of its own makes tokens of that time.
func TestClock(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	issuer.Now = func() time.Time { return noon }
	v := issuer.Verifier()
	token, err := v.Verify(t.Context(), issuer.Token("alice"))
	if err != nil || !token.IssuedAt().Equal(noon) {
		t.Errorf("%v, %v", token, err)
	}
}

// A key set that was written is one for every verifier.
func TestWriteKeySet(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	issuer.WriteKeySet(file)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set, err := verifier.ParseKeySet(content)
	if err != nil || len(set.KeyIDs()) != 1 {
		t.Fatalf("%v, %v", set, err)
	}
	if _, _, err := set.VerifySignature(issuer.Token("alice")); err != nil {
		t.Error(err)
	}
}

func TestClientProves(t *testing.T) {
	client := verifiertest.NewClient(t)
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	client.Now = func() time.Time { return noon }
	proof, err := dpop.Check([]string{client.Proof(http.MethodPost, "https://issuer.test/token", "")}, http.MethodPost, "https://issuer.test/token")
	if err != nil || proof.Thumbprint != client.Thumbprint() || proof.AccessTokenHash != "" || !proof.IssuedAt.Equal(noon) {
		t.Errorf("%+v, %v", proof, err)
	}
	request := httptest.NewRequest(http.MethodGet, "https://b.test/x?y", nil)
	client.Authorize(request, "token")
	if proof, err = dpop.Check(request.Header.Values(dpop.Header), http.MethodGet, "https://b.test/x"); err != nil || proof.AccessTokenHash != dpop.AccessTokenHash("token") {
		t.Errorf("%+v, %v", proof, err)
	}
}

// A token that is bound to a certificate is good over a connection with it, and over no other.
func TestBoundToCertificate(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	server := httptest.NewUnstartedServer(issuer.Verifier().Middleware(http.HandlerFunc(orders)))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()
	mine, other := certificate(t), certificate(t)
	token := issuer.Token("alice", verifiertest.BoundToCertificate(mine.Leaf))
	for name, c := range map[string]struct {
		certificates []tls.Certificate
		want         int
	}{
		"its owner": {[]tls.Certificate{mine}, 200}, "a thief": {[]tls.Certificate{other}, 401}, "without one": {nil, 401},
	} {
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = c.certificates
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != c.want {
			t.Errorf("%s: %s", name, answer.Status)
		}
		if err := answer.Body.Close(); err != nil {
			t.Error(err)
		}
		transport.CloseIdleConnections()
	}
}

// certificate is one that its owner has signed, with the key.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

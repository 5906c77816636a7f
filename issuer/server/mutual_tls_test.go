package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/server"
	"github.com/keywright/keywright/verifier"
)

// clientCA signs the certificates of clients.
type clientCA struct {
	*testing.T
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newClientCA(t *testing.T) *clientCA {
	t.Helper()
	ca := &clientCA{T: t, key: newKey(t).(*ecdsa.PrivateKey)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	ca.must(err)
	ca.certificate, err = x509.ParseCertificate(der)
	ca.must(err)
	return ca
}

func (ca *clientCA) must(err error) {
	ca.Helper()
	if err != nil {
		ca.Fatal(err)
	}
}

func (ca *clientCA) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.certificate.Raw}))
}

// issue returns a certificate with a name, a DNS name or a URI.
func (ca *clientCA) issue(name string, usage x509.ExtKeyUsage, until time.Duration) tls.Certificate {
	ca.Helper()
	key := newKey(ca.T)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(until),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	if u, err := url.Parse(name); err == nil && u.Scheme != "" {
		template.URIs = []*url.URL{u}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	ca.must(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

const spiffeID = "spiffe://cluster.local/ns/shop/sa/cart"

// startMutual starts an issuer with a listener for clients with certificates, and returns the address of its token endpoint there.
func (w *world) startMutual(ca *clientCA) string {
	w.Helper()
	cas := &volume{T: w.T}
	cas.Directory = w.TempDir()
	cas.write(map[string]string{"ca.crt": ca.pem()})
	text := strings.Replace(w.config(), "server:\n", "server:\n  mutualTLS: {address: '127.0.0.1:0', url: 'https://mtls.issuer.example.com/token', clientCAFile: "+
		filepath.Join(cas.Directory, "ca.crt")+"}\n", 1)
	w.settings.write(map[string]string{"issuer.yaml": text + fmt.Sprintf(`- {id: cart, certificateName: %q, grantTypes: [client_credentials]}
- {id: till, certificateName: till.shop.svc, grantTypes: [client_credentials]}
`, spiffeID)})
	w.useKey("ES256", newKey(w.T))
	ctx, cancel := context.WithCancel(w.Context())
	s, err := server.New(ctx, server.Options{
		ConfigFile: filepath.Join(w.settings.Directory, "issuer.yaml"), Now: w.now, HashSlots: 2, HashMemory: 1 << 30,
		Log: slog.New(slog.NewJSONHandler(w.log, nil)), Audit: w.audit,
	})
	w.must(err)
	public, _ := s.Addresses()
	w.base = "https://" + public.String()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			w.Errorf("the issuer stopped with: %v", err)
		}
	})
	return "https://" + s.MutualAddress().String() + "/token"
}

// ask asks for a token of a client, with a certificate if it has a chain.
func (w *world) ask(address, client string, certificate tls.Certificate) (reply, error) {
	w.Helper()
	transport := w.client.Transport.(*http.Transport).Clone()
	if certificate.PrivateKey != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{certificate}
	}
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, address, strings.NewReader(form("grant_type", "client_credentials", "client_id", client)))
	w.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, body: string(body)}, err
}

// A service with a certificate gets tokens that are worth nothing without it.
func TestCertificateBoundTokens(t *testing.T) {
	t.Parallel()
	w, ca := prepare(t), newClientCA(t)
	mutual := w.startMutual(ca)
	certificate := ca.issue(spiffeID, x509.ExtKeyUsageClientAuth, time.Hour)
	r, err := w.ask(mutual, "cart", certificate)
	if w.must(err); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	_, rest, _ := strings.Cut(r.body, `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	digest := sha256.Sum256(certificate.Certificate[0])
	if want := `"cnf":{"x5t#S256":"` + base64.RawURLEncoding.EncodeToString(digest[:]) + `"}`; !strings.Contains(payloadOf(t, token), want) || !strings.Contains(r.body, `"Bearer"`) {
		t.Errorf("%s %s, want %s", r.body, payloadOf(t, token), want)
	}

	// A service of its own accepts the token from that client alone.
	called := ""
	v := w.verifier(audience)
	service := httptest.NewUnstartedServer(v.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context())
		called = token.Subject()
	})))
	pool := x509.NewCertPool()
	pool.AddCert(ca.certificate)
	service.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	service.StartTLS()
	t.Cleanup(service.Close)
	call := func(certificates ...tls.Certificate) int {
		t.Helper()
		transport := service.Client().Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = certificates
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, service.URL, nil)
		w.must(err)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := (&http.Client{Transport: transport}).Do(request)
		w.must(err)
		_ = response.Body.Close()
		return response.StatusCode
	}
	if status := call(certificate); status != http.StatusOK || called != "client:cart" {
		t.Errorf("its own certificate: %d, %q", status, called)
	}
	for name, status := range map[string]int{
		"no certificate": call(), "another one of the same name": call(ca.issue(spiffeID, x509.ExtKeyUsageClientAuth, time.Hour)),
	} {
		if status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
	}
	if _, err := v.Verify(t.Context(), token); !errors.Is(err, verifier.ErrProof) {
		t.Errorf("without a request: %v", err)
	}
}

// Only the holder of the certificate that the configuration names is the client, and browsers are asked for none.
func TestCertificatesOfClients(t *testing.T) {
	t.Parallel()
	w, ca, other := prepare(t), newClientCA(t), newClientCA(t)
	mutual := w.startMutual(ca)
	good := ca.issue(spiffeID, x509.ExtKeyUsageClientAuth, time.Hour)
	for name, c := range map[string]struct {
		address, client string
		certificate     tls.Certificate
		status          int // 0: TLS refuses
	}{
		"a DNS name":                  {mutual, "till", ca.issue("till.shop.svc", x509.ExtKeyUsageClientAuth, time.Hour), 200},
		"another client's":            {mutual, "till", good, 401},
		"the name of another client":  {mutual, "cart", ca.issue("till.shop.svc", x509.ExtKeyUsageClientAuth, time.Hour), 401},
		"a client without":            {mutual, "batch", good, 401},
		"none":                        {mutual, "cart", tls.Certificate{}, 0},
		"of another CA":               {mutual, "cart", other.issue(spiffeID, x509.ExtKeyUsageClientAuth, time.Hour), 0},
		"expired":                     {mutual, "cart", ca.issue(spiffeID, x509.ExtKeyUsageClientAuth, -time.Minute), 0},
		"of a server":                 {mutual, "cart", ca.issue(spiffeID, x509.ExtKeyUsageServerAuth, time.Hour), 0},
		"at the other listener":       {w.base + "/token", "cart", good, 401},
		"none, at the other listener": {w.base + "/token", "cart", tls.Certificate{}, 401},
		"the key set is not there":    {strings.TrimSuffix(mutual, "/token") + "/jwks", "cart", good, 404},
	} {
		r, err := w.ask(c.address, c.client, c.certificate)
		if (err != nil) != (c.status == 0) || r.status != c.status {
			t.Errorf("%s: %d %s, %v", name, r.status, r.body, err)
		}
	}
	metadata := w.get(w.base + "/.well-known/oauth-authorization-server").body
	for _, part := range []string{`"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.issuer.example.com/token"}`, `"tls_client_certificate_bound_access_tokens":true`, `"tls_client_auth"`} {
		if !strings.Contains(metadata, part) {
			t.Errorf("the metadata has no %s: %s", part, metadata)
		}
	}
}

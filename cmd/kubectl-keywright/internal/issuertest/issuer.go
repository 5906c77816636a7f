package issuertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
)

// URL is the iss of the issuer's tokens.
const URL = "https://issuer.example.com"

// Start runs a real issuer with the signing-key Secret of a SigningKey as it is now, and returns its URL, the file of its CA, and
// the port of its metrics on all addresses of this host.
func Start(t *testing.T, name string) (url, ca string, metrics int32) {
	t.Helper()
	var secret corev1.Secret
	if err := plugintest.Admin().Get(t.Context(), client.ObjectKey{Namespace: "keywright-system", Name: name + "-signing-key"}, &secret); err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, content := range secret.Data {
		write(name, content)
	}
	cert, key := certificate(t)
	ca = write("tls.crt", cert)
	write("tls.key", key)
	write("users.yaml", fmt.Appendf(nil, "apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n"+
		"- {name: alice, subject: a1, passwordHash: '%s'}\n", login.HashPassword("wonderland")))
	config := write("issuer.yaml", fmt.Appendf(nil, `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %[2]s
server: {address: "127.0.0.1:0", metricsAddress: ":0", tls: {certFile: %[1]s/tls.crt, keyFile: %[1]s/tls.key}}
signingKey: {directory: %[1]s}
users: {file: %[1]s/users.yaml}
token: {audiences: [https://shop.example.com]}
clients: [{id: web, public: true, grantTypes: [password]}]
`, directory, URL))
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.New(ctx, server.Options{
		ConfigFile: config, Now: time.Now, Log: slog.New(slog.DiscardHandler), Audit: io.Discard, HashSlots: 1, HashMemory: 64 << 20,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	address, probes := s.Addresses()
	return "https://" + address.String(), ca, Port(t, probes)
}

// Port returns the port of an address.
func Port(t *testing.T, address net.Addr) (port int32) {
	t.Helper()
	_, text, err := net.SplitHostPort(address.String())
	if _, scanned := fmt.Sscan(text, &port); err != nil || scanned != nil {
		t.Fatal(err, scanned)
	}
	return port
}

func certificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

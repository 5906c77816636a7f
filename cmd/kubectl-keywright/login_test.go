package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
)

const issuerURL = "https://issuer.example.com"

// startIssuer runs a real issuer with the signing-key Secret of a SigningKey as it is now, and returns its URL, the file of its CA, and
// the port of its metrics on all addresses of this host.
func startIssuer(t *testing.T, name string) (url, ca string, metrics int32) {
	t.Helper()
	var secret corev1.Secret
	if err := cluster.admin.Get(t.Context(), client.ObjectKey{Namespace: "keywright-system", Name: name + "-signing-key"}, &secret); err != nil {
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
`, directory, issuerURL))
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
	return "https://" + address.String(), ca, portOf(t, probes)
}

func portOf(t *testing.T, address net.Addr) (port int32) {
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

func TestTokenAndVerify(t *testing.T) {
	signingKey(t, "login")
	url, ca, _ := startIssuer(t, "login")
	token, _, err := try(t, "wonderland\n", "token", "--url", url, "--ca", ca, "--client-id", "web", "--username", "alice")
	if err != nil || strings.Count(token, ".") != 2 {
		t.Fatalf("%v %s", err, token)
	}
	if _, _, err := try(t, "wrong\n", "token", "--url", url, "--ca", ca, "--client-id", "web", "--username", "alice"); err == nil ||
		!strings.Contains(err.Error(), "invalid_grant") || strings.Contains(err.Error(), "wrong\n") {
		t.Errorf("a wrong password: %v", err)
	}
	verify := func(in string, args ...string) (string, error) {
		out, _, err := try(t, in, append([]string{"verify", "-", "--signing-key", "login", "-n", "login", "--issuer", issuerURL}, args...)...)
		return out, err
	}
	out, err := verify(token, "--audience", "https://shop.example.com")
	var claims map[string]any
	if err != nil || json.Unmarshal([]byte(out), &claims) != nil || claims["sub"] != "a1" {
		t.Errorf("%v %s", err, out)
	}
	if _, err := verify(token, "--audience", "https://other.example.com"); err == nil || !strings.Contains(err.Error(), "audience") {
		t.Errorf("another audience: %v", err)
	}
	if _, err := verify(strings.TrimSpace(token)+"x", "--audience", "https://shop.example.com"); err == nil {
		t.Error("a token that was changed is valid")
	}
	if _, _, err := try(t, "", "verify", "x", "--signing-key", "login", "-n", "default", "--issuer", "i", "--audience", "a"); err == nil {
		t.Error("keys out of nothing")
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/issuer/login"
)

// certificate returns a certificate for a DNS name, and its key, in PEM.
func certificate(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// free returns a free address.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// An issuer is right if its own metadata and keys come from its address, and wrong if anything of it is another's.
func TestCheckServiceFindsWhatIsWrong(t *testing.T) {
	directory, address := t.TempDir(), free(t)
	files, others := mounted(t), mounted(t)
	files["tls.crt"], files["tls.key"] = certificate(t, "issuer.example.com")
	files["other.crt"], _ = certificate(t, "issuer.example.com")
	files["other.json"], files["broken.json"] = others[contract.JWKSFile], "x"
	hash, err := login.HashNewPassword("correct horse battery staple")
	if err != nil {
		t.Fatal(err)
	}
	files["users.yaml"] = fmt.Sprintf("apiVersion: issuer.keywright.dev/v1alpha1\nkind: UserList\nusers:\n- {name: alice, subject: a, passwordHash: %q}\n", hash)
	files["issuer.yaml"] = fmt.Sprintf(`apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: https://issuer.example.com/auth
server: {address: %s, metricsAddress: %s, tls: {certFile: DIR/tls.crt, keyFile: DIR/tls.key}}
signingKey: {directory: DIR}
users: {file: DIR/users.yaml}
token: {audiences: [https://shop.example.com]}
clients:
- {id: web, public: true, grantTypes: [password]}
`, address, free(t))
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(strings.ReplaceAll(content, "DIR", directory)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stopped := make(chan error, 1)
	go func() {
		_, err := try(t, "", "serve", "--config", filepath.Join(directory, "issuer.yaml"))
		stopped <- err
	}()

	in := func(name string) string { return filepath.Join(directory, name) }
	right := []string{"check-service", "--url=https://issuer.example.com/auth", "--address=" + address, "--ca=" + in("tls.crt"), "--key-set=" + in(contract.JWKSFile)}
	out, err := try(t, "", append(slices.Clone(right), "--timeout=20s")...)
	if err != nil || !strings.HasSuffix(out, "https://issuer.example.com/auth serves its metadata, and the 1 keys of "+in(contract.JWKSFile)+"\n") {
		t.Fatalf("%v\n%s", err, out)
	}
	var wrong sync.WaitGroup
	for flag, want := range map[string]string{
		"--url=https://issuer.example.com":       "/.well-known/oauth-authorization-server: status is 404 Not Found, must be 200",
		"--url=https://issuer.example.com/auth/": `issuer is "https://issuer.example.com/auth", must be "https://issuer.example.com/auth/"`,
		"--url=https://other.example.com/auth":   "certificate is valid for issuer.example.com, not other.example.com",
		"--url=http://issuer.example.com/auth":   "--url must be an https URL",
		"--address=" + free(t):                   "connection refused",
		"--ca=" + in("other.crt"):                "certificate signed by unknown authority",
		"--ca=" + in("issuer.yaml"):              "has no PEM certificate",
		"--ca=" + in("none"):                     "no such file",
		"--key-set=":                             "--key-set is required",
		"--key-set=" + in("none"):                "no such file",
		"--key-set=" + in("broken.json"):         "broken.json is not a JWKS",
		"--key-set=" + in("other.json"):          "the issuer serves the keys",
	} {
		wrong.Go(func() {
			if out, err := try(t, "", append(slices.Clone(right), "--timeout=2s", flag)...); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(out, want) {
				t.Errorf("%s: want %q, got %v\n%s", flag, want, err, out)
			}
		})
	}
	wrong.Wait()
	select {
	case err := <-stopped:
		t.Errorf("the issuer stopped: %v", err)
	default:
	}
}

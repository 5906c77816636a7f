package clients_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier/verifiertest"
)

const (
	audience = "https://shop.example.com"
	secret   = "s3cret/with+signs&that=need:escaping"
	password = "correct horse battery stäple"
)

// authority signs certificates for 127.0.0.1 and localhost, and is one itself.
type authority struct {
	volume      verifiertest.Volume
	pool        *x509.CertPool
	certificate *x509.Certificate
	private     *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "clients"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	a := &authority{volume: verifiertest.Volume{Directory: t.TempDir()}, pool: x509.NewCertPool(), certificate: template, private: key}
	a.certificate = a.sign(t, template, key)
	a.pool.AddCert(a.certificate)
	return a
}

// renew replaces the certificate with another of the same authority, and returns that.
func (a *authority) renew(t testing.TB) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: a.certificate.IPAddresses, DNSNames: a.certificate.DNSNames, ExtKeyUsage: a.certificate.ExtKeyUsage,
	}, key)
}

// sign makes a certificate and mounts it.
func (a *authority) sign(t testing.TB, template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.private)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, a.volume.Write(map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	}))
	certificate, err := x509.ParseCertificate(der)
	must(t, err)
	return certificate
}

func (a *authority) crt() string { return a.volume.Path("tls.crt") }
func (a *authority) key() string { return a.volume.Path("tls.key") }

// client is an HTTP/1.1 client that trusts the authority.
func (a *authority) client() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, MaxIdleConnsPerHost: 64}}
}

// http2 is a client that speaks HTTP/2 where the server does, which one with a TLS configuration of its own does not otherwise.
func (a *authority) http2() *http.Client {
	c := a.client()
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	return c
}

// keyring is the mounted signing-key Secret, which all replicas share.
type keyring struct {
	verifiertest.Volume
	active jose.JSONWebKey
	public []jose.JSONWebKey
	// sealing is none without sessions.
	sealing issuerfiles.SealingKeys
	revoked issuerfiles.Revoked
}

func newKeyring(t testing.TB) *keyring {
	t.Helper()
	k := &keyring{Volume: verifiertest.Volume{Directory: t.TempDir()}}
	k.prepare(t)
	k.activate(t)
	return k
}

// prepare publishes another key, which does not sign yet.
func (k *keyring) prepare(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	standby := jose.JSONWebKey{Key: key, Algorithm: "ES256", Use: "sig"}
	digest, err := standby.Thumbprint(crypto.SHA256)
	must(t, err)
	standby.KeyID = base64.RawURLEncoding.EncodeToString(digest)
	if len(k.public) == 0 {
		k.active = standby
	}
	k.public = append(k.public, standby.Public())
	k.prepareSealing()
	k.write(t)
	k.active = standby
}

// activate makes the key that was prepared sign.
func (k *keyring) activate(t testing.TB) {
	t.Helper()
	k.useSealing()
	k.write(t)
}

// retire takes all public keys away but that of the active key.
func (k *keyring) retire(t testing.TB) {
	t.Helper()
	k.public = []jose.JSONWebKey{k.active.Public()}
	k.retireSealing()
	k.write(t)
}

// write mounts the files. While a key is only prepared, the one before stays the active one.
func (k *keyring) write(t testing.TB) {
	t.Helper()
	active, err := k.active.MarshalJSON()
	must(t, err)
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: k.public})
	must(t, err)
	files := issuerfiles.Files{Active: active, KeySet: public, Policy: issuerfiles.Policy{
		SigningKey: "clients", Algorithm: "ES256", MaxLifetime: time.Hour, ClockSkew: time.Minute,
	}, Sealing: k.sealing, Revoked: k.revoked}
	if len(k.sealing) > 0 {
		files.Policy.MaxRefreshLifetime, files.Policy.MaxSessionLifetime = 12*time.Hour, 720*time.Hour
	}
	data, err := files.Encode()
	must(t, err)
	data["jwks"+contract.RevokedSuffix] = data[contract.RevokedFile] // beside the keys, as services have it
	must(t, k.Write(data))
}

// replica is a running issuer.
type replica struct {
	testing.TB
	url, probes, directory string
	cmd                    *exec.Cmd
	exited                 chan error
}

// binary builds the issuer once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("keywright-issuer-%d", os.Getpid()))
	out, err := exec.Command("go", "-C", "../..", "build", "-o", path, "./cmd/issuer").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// options change the configuration of a replica.
type options struct {
	// issuer is the iss, by default where it listens.
	issuer string
	// lifetime is that of tokens, by default 5m.
	lifetime string
	// users is where users are, by default a list with alice.
	users string
	// server, clients and rest are more YAML.
	server, clients, rest string
}

func startIssuer(t testing.TB, a *authority, k *keyring, o options) *replica {
	t.Helper()
	address, probes := freeAddress(t), freeAddress(t)
	r := &replica{TB: t, url: "https://" + address, probes: "http://" + probes, directory: t.TempDir()}
	if o.issuer == "" {
		o.issuer = r.url
	}
	if o.lifetime == "" {
		o.lifetime = "5m"
	}
	digest := sha256.Sum256([]byte(secret))
	must(t, os.WriteFile(filepath.Join(r.directory, "issuer.yaml"), fmt.Appendf(nil, `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %s
server:
  address: %s
  metricsAddress: %s
  drainFor: 1s
  tls: {certFile: %s, keyFile: %s}
%s
signingKey: {directory: %s}
users: %s
token: {lifetime: %s, audiences: [%s], scopes: [read, write]}
clients:
- {id: web, public: true, grantTypes: [password]}
- {id: batch, secretSHA256: %x, grantTypes: [client_credentials]}
%s
%s
`, o.issuer, address, probes, a.crt(), a.key(), o.server, k.Directory, cmp.Or(o.users, "{file: "+r.directory+"/users.yaml}"), o.lifetime, audience, digest, o.clients, o.rest), 0o600))
	must(t, os.WriteFile(filepath.Join(r.directory, "users.yaml"), fmt.Appendf(nil, `apiVersion: issuer.keywright.dev/v1alpha1
kind: UserList
users:
- {name: alice, subject: "1", passwordHash: %q, claims: {email: alice@example.com, groups: [staff]}}
`, passwordHash(t)), 0o600))
	r.start()
	t.Cleanup(r.kill)
	return r
}

var hashed sync.Map

// passwordHash asks the issuer for the hash of password, once.
func passwordHash(t testing.TB) string {
	t.Helper()
	if hash, ok := hashed.Load(password); ok {
		return hash.(string)
	}
	path, err := binary()
	must(t, err)
	cmd := exec.Command(path, "hash")
	cmd.Stdin = strings.NewReader(password)
	out, err := cmd.Output()
	must(t, err)
	hash := strings.TrimSpace(string(out))
	hashed.Store(password, hash)
	return hash
}

func (r *replica) start() {
	r.Helper()
	path, err := binary()
	must(r, err)
	log, err := os.OpenFile(filepath.Join(r.directory, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(r, err)
	r.cmd = exec.Command(path, "serve", "--config", filepath.Join(r.directory, "issuer.yaml"))
	r.cmd.Stdout, r.cmd.Stderr = log, log
	must(r, r.cmd.Start())
	_ = log.Close()
	r.exited = make(chan error, 1)
	go func() { r.exited <- r.cmd.Wait() }()
	until(r, "ready", 20*time.Second, r.ready)
}

func (r *replica) ready() bool {
	response, err := http.Get(r.probes + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// terminate stops it as a kubelet does.
func (r *replica) terminate() error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return <-r.exited
}

func (r *replica) kill() { _ = r.cmd.Process.Kill() }

func (r *replica) log() string {
	b, _ := os.ReadFile(filepath.Join(r.directory, "log"))
	return string(b)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t testing.TB, what string, within time.Duration, is func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("not %s within %v", what, within)
		}
	}
}

// needs skips a test whose runtime is missing, or fails it where all must be there.
func needs(t *testing.T, command, install string) {
	t.Helper()
	if _, err := exec.LookPath(command); err == nil {
		return
	}
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("%s is needed: %s", command, install)
	}
	t.Skipf("%s is missing: %s", command, install)
}

// needsPackage is needs for a package of Node.
func needsPackage(t *testing.T, name string) {
	t.Helper()
	needs(t, "node", "install Node 20 or newer")
	if _, err := os.Stat(filepath.Join("node_modules", name)); err == nil {
		return
	}
	if os.Getenv("REQUIRE_CLIENTS") != "" {
		t.Fatalf("the npm package %s is needed: run `npm ci` in hack/clients", name)
	}
	t.Skipf("the npm package %s is missing: run `npm ci` in hack/clients", name)
}

// script runs a program that prints one JSON object.
func script(t *testing.T, environment []string, command ...string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), environment...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s\n%s", command, err, out.String(), errs.String())
	}
	var result map[string]any
	if err := json.Unmarshal(out.Bytes(), &result); err != nil {
		t.Fatalf("%v printed %s\n%s", command, out.String(), errs.String())
	}
	return result
}

package server_test

import (
	"bytes"
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
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/verifiertest"
)

const (
	issuerURL = "https://issuer.example.com"
	audience  = "https://shop.example.com"
	password  = "correct horse battery staple"
	secret    = "a-client-secret-that-is-long-enough"
)

// volume is what a kubelet mounts.
type volume struct {
	*testing.T
	verifiertest.Volume
	// files are the ones written last.
	files map[string]string
}

func (v *volume) write(files map[string]string) {
	v.Helper()
	v.files = files
	content := map[string][]byte{}
	for name, text := range files {
		content[name] = []byte(text)
	}
	v.must(v.Write(content))
}

func (v *volume) must(err error) {
	v.Helper()
	if err != nil {
		v.Fatal(err)
	}
}

// logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// world is a running issuer with everything that is mounted into it, and a client.
type world struct {
	*testing.T
	client                      *http.Client
	base, probes                string
	settings, keys, users, cert *volume
	// keySets is the ConfigMap keywright-jwks.
	keySets *volume
	// log is for the person on call, audit has one line a token request.
	log, audit *logbook
	jwks       string
	stop       func() error
	tracer     trace.TracerProvider
	// ahead is by how much the issuer's clock is ahead.
	ahead time.Duration
}

// newWorld starts an issuer over real TLS. It has a key, a user alice and four clients.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := prepare(t)
	w.useKey("ES256", newKey(t))
	w.start()
	return w
}

func prepare(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, log: &logbook{}, audit: &logbook{}}
	for _, v := range []**volume{&w.settings, &w.keys, &w.users, &w.cert, &w.keySets} {
		*v = &volume{T: t, Volume: verifiertest.Volume{Directory: t.TempDir()}}
	}
	w.settings.write(map[string]string{"issuer.yaml": w.config()})
	w.users.write(map[string]string{"users.yaml": usersFile("")})
	w.useCertificate()
	return w
}

func (w *world) config() string {
	digest := sha256.Sum256([]byte(secret))
	return fmt.Sprintf(`apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %s
server:
  address: 127.0.0.1:0
  metricsAddress: 127.0.0.1:0
  tls: {certFile: %s/tls.crt, keyFile: %s/tls.key}
signingKey: {directory: %s, keySetDirectory: %s}
users: {file: %s/users.yaml}
token:
  lifetime: 5m
  audiences: [%s]
  scopes: [read, write]
clients:
- {id: web, public: true, grantTypes: [password]}
- {id: batch, secretSHA256: %[8]x, grantTypes: [client_credentials], scopes: [read], audiences: [https://warehouse.example.com]}
- {id: both, secretSHA256: %[8]x, grantTypes: [password, client_credentials]}
- {id: "sp%%ce/x", secretSHA256: %[8]x, grantTypes: [client_credentials]}
`, issuerURL, w.cert.Directory, w.cert.Directory, w.keys.Directory, w.keySets.Directory, w.users.Directory, audience, digest)
}

var aliceHash = login.HashPassword(password)

func usersFile(more string) string {
	return fmt.Sprintf(`apiVersion: issuer.keywright.dev/v1alpha1
kind: UserList
users:
- name: alice
  subject: 8a2f
  passwordHash: %q
  claims: {email: alice@example.com, groups: [staff], permissions: [orders:read]}
- name: bob
  subject: 9b3e
  passwordHash: %q
  disabled: true
- name: carol
  subject: 7c1d
  passwordHash: %q
  scopes: [read, admin]
%s`, aliceHash, aliceHash, aliceHash, more)
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwkOf(t *testing.T, alg string, key crypto.Signer) jose.JSONWebKey {
	t.Helper()
	jwk := jose.JSONWebKey{Key: key, Algorithm: alg, Use: "sig"}
	digest, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(digest)
	return jwk
}

func policy(alg string) string {
	return encoded(issuerfiles.Policy{SigningKey: "platform", Algorithm: alg, MaxLifetime: 10 * time.Minute, ClockSkew: time.Minute})
}

func encoded(p issuerfiles.Policy) string {
	b, err := p.Encode()
	if err != nil {
		panic(err)
	}
	return string(b)
}

// keyFiles are what the controller writes for a key.
func keyFiles(t *testing.T, alg string, key crypto.Signer) map[string]string {
	t.Helper()
	jwk := jwkOf(t, alg, key)
	active, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	return mounted(t, issuerfiles.Files{Active: active, KeySet: jwks, Policy: issuerfiles.Policy{
		SigningKey: "platform", Algorithm: alg, MaxLifetime: 10 * time.Minute, ClockSkew: time.Minute,
	}})
}

// mounted are the files as a kubelet writes them.
func mounted(t *testing.T, files issuerfiles.Files) map[string]string {
	t.Helper()
	data, err := files.Encode()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, content := range data {
		out[name] = string(content)
	}
	return out
}

func (w *world) useKey(alg string, key crypto.Signer) {
	w.Helper()
	files := keyFiles(w.T, alg, key)
	w.jwks = files[contract.JWKSFile]
	w.keys.write(files)
}

// useCertificate mounts a new certificate for 127.0.0.1, and makes a client that trusts it.
func (w *world) useCertificate() {
	w.Helper()
	key := newKey(w.T)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	w.must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	w.must(err)
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	w.cert.write(map[string]string{"tls.crt": encode("CERTIFICATE", der), "tls.key": encode("PRIVATE KEY", private)})
	pool := x509.NewCertPool()
	certificate, err := x509.ParseCertificate(der)
	w.must(err)
	pool.AddCert(certificate)
	w.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true,
	}}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) now() time.Time { return time.Now().Add(w.ahead) }

func (w *world) options() server.Options {
	return server.Options{
		ConfigFile: filepath.Join(w.settings.Directory, "issuer.yaml"), Now: w.now, HashSlots: 2, HashMemory: 1 << 30, Tracer: w.tracer,
		Log: slog.New(slog.NewJSONHandler(w.log, nil)), Audit: w.audit,
	}
}

func (w *world) start() {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	s, err := server.New(ctx, w.options())
	w.must(err)
	public, probes := s.Addresses()
	w.base, w.probes = "https://"+public.String(), "http://"+probes.String()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.Cleanup(func() {
		if err := w.stop(); err != nil && !w.Failed() {
			w.Errorf("the issuer stopped with: %v", err)
		}
	})
}

// reply is an answer, read to its end.
type reply struct {
	status int
	header http.Header
	proto  string
	body   string
	fields map[string]any
	// closes tells that the server asks to connect anew.
	closes bool
}

func (w *world) send(req *http.Request) reply {
	w.Helper()
	response, err := w.client.Do(req)
	w.must(err)
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	w.must(err)
	r := reply{status: response.StatusCode, header: response.Header, proto: response.Proto, body: string(b), closes: response.Close}
	_ = json.Unmarshal(b, &r.fields)
	return r
}

// post sends a form to the token endpoint. edit can change the request.
func (w *world) post(form string, edit ...func(*http.Request)) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.base+"/token", strings.NewReader(form))
	w.must(err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, f := range edit {
		f(req)
	}
	return w.send(req)
}

// decided sends a form to the token endpoint, and returns why it was refused by the one line of the audit log about it. Nothing
// else may ask for a token meanwhile.
func (w *world) decided(form string, edit ...func(*http.Request)) (r reply, reason string) {
	w.Helper()
	before := len(w.audit.String())
	r = w.post(form, edit...)
	return r, w.reasonAfter(before)
}

// reasonAfter waits for a line of the audit log behind its first bytes, and returns its reason.
func (w *world) reasonAfter(before int) string {
	w.Helper()
	var added string
	w.until("written to the audit log", func() bool { added = w.audit.String()[before:]; return added != "" })
	var line struct{ Reason string }
	w.must(json.Unmarshal([]byte(added), &line)) // fails if there are two
	return line.Reason
}

func (w *world) get(url string, edit ...func(*http.Request)) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, url, nil)
	w.must(err)
	for _, f := range edit {
		f(req)
	}
	return w.send(req)
}

func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Add(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

func alice(more ...string) string {
	return form(append([]string{"grant_type", "password", "client_id", "web", "username", "alice", "password", password}, more...)...)
}

// verify checks a token with our verifier, against the JWKS that is mounted.
func (w *world) verify(compact, audience string) *verifier.Token {
	w.Helper()
	token, err := w.verifier(audience).Verify(w.Context(), compact)
	w.must(err)
	return token
}

// verifier is that of a service.
func (w *world) verifier(audience string) *verifier.Verifier {
	w.Helper()
	file := filepath.Join(w.TempDir(), "platform.json")
	w.must(os.WriteFile(file, []byte(w.jwks), 0o600))
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{issuerURL: verifier.File(file)}, Audience: audience,
	})
	w.must(err)
	w.Cleanup(v.Close)
	return v
}

// patience is how long tests wait for what must happen, so that they fail rather than hang. It is far beyond what a busy machine
// takes.
const patience = time.Minute

// until waits for something to become true.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !is() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			w.Fatalf("not %s within %v\n%s", what, patience, w.log)
		}
	}
}

func hexDigest(text string) string {
	digest := sha256.Sum256([]byte(text))
	return hex.EncodeToString(digest[:])
}

// keyIDOf reads the kid of a token's header.
func (w *world) keyIDOf(compact string) string {
	w.Helper()
	header, _, _ := strings.Cut(compact, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	w.must(err)
	var h struct{ Kid, Typ string }
	w.must(json.Unmarshal(b, &h))
	if h.Typ != "at+jwt" {
		w.Fatalf("typ is %q", h.Typ)
	}
	return h.Kid
}

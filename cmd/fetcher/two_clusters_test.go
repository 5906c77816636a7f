package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
	"github.com/keywright/keywright/issuer/server"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// otherCluster is a second API server with a controller, a SigningKey and an issuer.
type otherCluster struct {
	*testing.T
	client.Client
	url, ca string
	http    *http.Client
}

const otherIssuer = "https://issuer.berlin.example.com"

func newOtherCluster(t *testing.T) *otherCluster {
	t.Helper()
	c := &otherCluster{T: t}
	environment := envtest.Environment{}
	var err error
	environment.BinaryAssetsDirectory, err = controlplanetest.Find()
	c.must(err)
	environment.Scheme, err = newScheme()
	c.must(err)
	environment.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	config, err := environment.Start()
	t.Cleanup(func() { _ = environment.Stop() })
	c.must(err)
	config.QPS = -1
	c.Client, err = client.New(config, client.Options{Scheme: environment.Scheme})
	c.must(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	c.must(c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: keyNamespace}}))
	c.runController(ctx, &environment)
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}, Spec: keywrightv1alpha1.SigningKeySpec{
		Token:        keywrightv1alpha1.Token{MaxLifetime: metav1.Duration{Duration: time.Minute}, ClockSkew: metav1.Duration{Duration: time.Second}},
		Distribution: keywrightv1alpha1.Distribution{PropagationDelay: metav1.Duration{Duration: 5 * time.Second}, NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": "main"}}},
	}}
	c.must(c.Create(ctx, key))
	c.serve(ctx)
	return c
}

// runController runs the controller as a separate process, since two would share one registry of metrics.
func (c *otherCluster) runController(ctx context.Context, environment *envtest.Environment) {
	c.Helper()
	user, err := environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	c.must(err)
	kubeconfig, err := user.KubeConfig()
	c.must(err)
	binary, path := filepath.Join(c.TempDir(), "controller"), filepath.Join(c.TempDir(), "kubeconfig")
	c.must(os.WriteFile(path, kubeconfig, 0o600))
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "../controller").CombinedOutput(); err != nil {
		c.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "--leader-elect=false", "--metrics-bind-address=", "--health-probe-bind-address=", "--kubeconfig", path)
	c.must(cmd.Start())
	go func() { _ = cmd.Wait() }()
}

func (c *otherCluster) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// serve runs the issuer, and updates its files like a kubelet.
func (c *otherCluster) serve(ctx context.Context) {
	c.Helper()
	keys, keySets := &verifiertest.Volume{Directory: c.TempDir()}, &verifiertest.Volume{Directory: c.TempDir()}
	go func() {
		var seen, seenSets map[string][]byte
		for ctx.Err() == nil {
			var secret corev1.Secret
			if c.Get(ctx, client.ObjectKey{Namespace: keyNamespace, Name: "main" + contract.SigningKeySuffix}, &secret) == nil && !maps.EqualFunc(secret.Data, seen, bytes.Equal) {
				_, seen = keys.Write(secret.Data), secret.Data
			}
			var cm corev1.ConfigMap
			if c.Get(ctx, client.ObjectKey{Namespace: keyNamespace, Name: contract.JWKSConfigMap}, &cm) == nil {
				files := map[string][]byte{}
				for name, text := range cm.Data {
					files[name] = []byte(text)
				}
				if !maps.EqualFunc(files, seenSets, bytes.Equal) {
					_, seenSets = keySets.Write(files), files
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	directory := c.TempDir()
	tls := httptest.NewUnstartedServer(nil)
	tls.StartTLS() // for its certificate
	defer tls.Close()
	c.http = tls.Client()
	certificate := tls.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	c.must(err)
	c.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	c.must(os.WriteFile(filepath.Join(directory, "tls.crt"), []byte(c.ca), 0o600))
	c.must(os.WriteFile(filepath.Join(directory, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	path := filepath.Join(directory, "issuer.yaml")
	c.must(os.WriteFile(path, fmt.Appendf(nil, `apiVersion: issuer.keywright.dev/v1alpha1
kind: IssuerConfiguration
issuer: %s
server: {address: "127.0.0.1:0", metricsAddress: "127.0.0.1:0", tls: {certFile: %[2]s/tls.crt, keyFile: %[2]s/tls.key}}
signingKey: {directory: %s, keySetDirectory: %s}
token: {lifetime: 1m, audiences: [shop], scopes: [read]}
clients:
- {id: batch, secretSHA256: %x, grantTypes: [client_credentials], scopes: [read]}
`, otherIssuer, directory, keys.Directory, keySets.Directory, sha256.Sum256([]byte("a secret with many random bits"))), 0o600))
	s, err := server.New(ctx, server.Options{ConfigFile: path, Now: time.Now, Log: slog.New(slog.DiscardHandler), Audit: io.Discard, HashSlots: 1, HashMemory: 64 << 20})
	c.must(err)
	go func() { _ = s.Run(ctx) }()
	public, _ := s.Addresses()
	c.url = "https://" + public.String()
}

// token logs in and returns the token, empty while the issuer has no key.
func (c *otherCluster) token() string {
	c.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	request, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.url+"/token", strings.NewReader(form.Encode()))
	c.must(err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("batch", url.QueryEscape("a secret with many random bits"))
	response, err := c.http.Do(request)
	c.must(err)
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	c.must(json.NewDecoder(response.Body).Decode(&answer))
	return answer.Token
}

func (c *otherCluster) change(edit func(*keywrightv1alpha1.SigningKey)) {
	c.Helper()
	var key keywrightv1alpha1.SigningKey
	c.must(c.Get(c.Context(), client.ObjectKey{Name: "main"}, &key))
	before := key.DeepCopy()
	edit(&key)
	c.must(c.Patch(c.Context(), &key, client.MergeFrom(before)))
}

// Another Keywright, in another cluster, is a TrustedIssuer of this one, through a rotation, a revocation, and its
// deletion.
func TestAnotherClusterIsTrusted(t *testing.T) {
	w := newWorld(t, "berlin-cluster")
	c := newOtherCluster(t)
	var first string
	w.eventually("a token", func() bool { first = c.token(); return first != "" })
	w.trust(otherIssuer, keywrightv1alpha1.KeySource{URL: c.url + "/jwks", CABundle: c.ca})
	accepted := func(token string) bool { return w.file() != "" && w.verify(token, otherIssuer, "at+jwt") == nil }
	w.eventually("a token of the other cluster is accepted", func() bool { return accepted(first) })

	// The Standby is fetched long before it signs.
	w.eventually("the standby", func() bool { w.fetchNow(); return len(issuerfiles.KeyIDs([]byte(w.file()))) >= 2 })
	c.change(func(key *keywrightv1alpha1.SigningKey) {
		key.Annotations = map[string]string{contract.RotateAnnotation: time.Now().Format(time.RFC3339)}
	})
	kid := kidOf(t, first)
	var second string
	w.eventually("the rotation", func() bool { second = c.token(); return second != "" && kidOf(t, second) != kid })
	if !accepted(second) || !accepted(first) {
		t.Errorf("after the rotation the token of the new key is accepted: %v, that of the old one: %v", accepted(second), accepted(first))
	}

	c.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.RevokedKeyIDs = []string{kidOf(t, second)} })
	w.eventually("the revoked key is gone", func() bool { w.fetchNow(); return !accepted(second) })
	if !accepted(first) {
		t.Error("a token of a key that was not revoked is refused")
	}
	c.change(func(key *keywrightv1alpha1.SigningKey) { key.Spec.DeletionPolicy = keywrightv1alpha1.Delete })
	c.must(c.Delete(t.Context(), &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}))
	w.eventually("nobody is trusted", func() bool { w.fetchNow(); return issuerfiles.TrustsNobody(w.file()) })
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	return issuerfiles.KeyID(b)
}

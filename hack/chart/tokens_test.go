package chart

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/verifier"
)

const batchSecret = "the secret of a client that the test adds"

// runningIssuer is the real issuer, with the files that its pods mount.
type runningIssuer struct{ issuer, token string }

// wantOwnTokens runs the issuers of SigningKeys, and wants verifiers to accept a token of the one whose keys they have, and of no other.
func (c *cluster) wantOwnTokens(t *testing.T, issuers map[string]string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "issuer")
	if _, err := run(t.Context(), "go", "build", "-C", root, "-o", binary, "./cmd/issuer"); err != nil {
		t.Fatal(err)
	}
	running := map[string]runningIssuer{}
	for key, name := range issuers {
		running[key] = c.runIssuer(t, binary, key, name)
	}
	mounted := t.TempDir()
	files, _, _ := unstructured.NestedStringMap(c.get(t, "v1", "ConfigMap", "default", "keywright-jwks").Object, "data")
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(mounted, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for key := range issuers {
		for other, of := range running {
			for _, issuer := range []string{running[key].issuer, of.issuer} { // also with the right iss, the signature is wrong
				v, err := verifier.New(verifier.Config{
					Issuers: map[string]verifier.Source{issuer: verifier.File(filepath.Join(mounted, key+".json"))}, Audience: "https://shop.example.com",
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = v.Verify(t.Context(), of.token)
				v.Close()
				if accepted := err == nil; accepted != (key == other) {
					t.Errorf("a verifier of %s with the keys of %s, and a token of %s: %v", issuer, key, other, err)
				}
			}
		}
	}
}

// runIssuer runs an issuer as its pods do, and gets a token of it.
func (c *cluster) runIssuer(t *testing.T, binary, key, name string) runningIssuer {
	t.Helper()
	directory := t.TempDir()
	for secret, under := range map[string]string{key + "-signing-key": "signing-key", name + "-tls": "tls"} {
		data, _, _ := unstructured.NestedStringMap(c.get(t, "v1", "Secret", keyNamespace, secret).Object, "data")
		if len(data) == 0 {
			t.Fatalf("the Secret %s is empty", secret)
		}
		if err := os.Mkdir(filepath.Join(directory, under), 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range data {
			b, err := base64.StdEncoding.DecodeString(text)
			if err == nil {
				err = os.WriteFile(filepath.Join(directory, under, file), b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(directory, "users"), 0o700); err != nil { // of an optional Secret that is not there
		t.Fatal(err)
	}
	text, _, _ := unstructured.NestedString(c.get(t, "v1", "ConfigMap", keyNamespace, name).Object, "data", "issuer.yaml")
	var settings map[string]any
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "/var/run/keywright", directory)), &settings); err != nil {
		t.Fatal(err)
	}
	address, probes := freeAddress(t), freeAddress(t)
	server := settings["server"].(map[string]any)
	server["address"], server["metricsAddress"] = address, probes
	settings["clients"] = append(settings["clients"].([]any), map[string]any{
		"id": "batch", "secretSHA256": fmt.Sprintf("%x", sha256.Sum256([]byte(batchSecret))), "grantTypes": []any{"client_credentials"},
	})
	config, err := yaml.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(directory, "issuer.yaml"), config, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--config="+filepath.Join(directory, "issuer.yaml"))
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the issuer %s:\n%s", name, log.String())
		}
	})
	ca, _, _ := unstructured.NestedString(c.get(t, "v1", "ConfigMap", keyNamespace, name+"-ca").Object, "data", "ca.crt")
	return runningIssuer{issuer: settings["issuer"].(string), token: batchToken(t, address, ca, name)}
}

// batchToken asks for a token until the issuer answers.
func batchToken(t *testing.T, address, ca, name string) string {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	asks := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name + "." + keyNamespace + ".svc"}}}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"batch"}, "client_secret": {batchSecret}}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		response, err := asks.PostForm("https://"+address+"/token", form)
		if err == nil {
			var answer struct {
				Token string `json:"access_token"`
			}
			err = json.NewDecoder(response.Body).Decode(&answer)
			_ = response.Body.Close()
			if answer.Token != "" {
				return answer.Token
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s gives no token: %v", name, err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

package fetch

import (
	"bytes"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// fetch prints which keys would be distributed, and why not, without a cluster.
func TestFetch(t *testing.T) {
	key, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	set := string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: key.ID, JWK: key.Public}}))
	set = strings.Replace(set, `{"keys":[`, `{"keys":[{"kty":"oct","kid":"shared","k":"AAAA"},`, 1)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/jwks" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(set))
	}))
	defer server.Close()
	ti := keywrightv1alpha1.TrustedIssuer{TypeMeta: metav1.TypeMeta{APIVersion: "keywright.dev/v1alpha1", Kind: "TrustedIssuer"}}
	ti.Spec.Issuer, ti.Spec.Keys.URL = "https://issuer.example", server.URL+"/jwks"
	ti.Spec.Keys.CABundle = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "issuer.yaml")
	write := func() {
		t.Helper()
		b, err := yaml.Marshal(ti)
		if err == nil {
			err = os.WriteFile(file, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		var out bytes.Buffer
		cmd := plugintest.NewCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}, time.Now)
		cmd.SetArgs(append([]string{"fetch"}, args...))
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	write()
	out, err := run("-f", file)
	if err != nil || !strings.Contains(out, key.ID+"  ES256      yes") || !strings.Contains(out, "key 1: it is not public") {
		t.Errorf("%v\n%s", err, out)
	}
	ti.Spec.Keys.URL = server.URL + "/nowhere"
	write()
	if out, err = run("-f", file); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, wrong := range [][]string{{}, {"a", "b"}, {"-f", file, "a"}} {
		if _, err := run(wrong...); err == nil || !strings.Contains(err.Error(), "--help") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

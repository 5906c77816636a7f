package server_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

func TestJWKSIsServedWithAValidator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.get(w.base + "/jwks")
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(r.body), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() {
		t.Fatalf("%s: %v", r.body, err)
	}
	if r.header.Get("Cache-Control") != "public, max-age=30" || r.header.Get("Content-Type") != "application/jwk-set+json" {
		t.Errorf("headers %v", r.header)
	}
	etag := r.header.Get("ETag")
	for _, header := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
		if r := w.get(w.base+"/jwks", func(r *http.Request) { r.Header.Set("If-None-Match", header) }); r.status != http.StatusNotModified || r.body != "" {
			t.Errorf("If-None-Match: %s gives %d", header, r.status)
		}
	}
	if r := w.get(w.base+"/jwks", func(r *http.Request) { r.Header.Set("If-None-Match", `"x"`) }); r.status != http.StatusOK {
		t.Errorf("another ETag gives %d", r.status)
	}
	w.useKey("ES256", newKey(t))
	w.until("another ETag", func() bool { return w.get(w.base+"/jwks").header.Get("ETag") != etag })
}

func TestMetadataIsTheSameAtBothPlaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.get(w.base + "/.well-known/oauth-authorization-server")
	b := w.get(w.base + "/.well-known/openid-configuration")
	if a.status != 200 || a.body != b.body {
		t.Fatalf("%d %s\n%d %s", a.status, a.body, b.status, b.body)
	}
	for field, want := range map[string]any{
		"issuer": issuerURL, "token_endpoint": issuerURL + "/token", "jwks_uri": issuerURL + "/jwks",
	} {
		if a.fields[field] != want {
			t.Errorf("%s is %v, want %v", field, a.fields[field], want)
		}
	}
	for _, required := range []string{"response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"} {
		if list, _ := a.fields[required].([]any); len(list) == 0 {
			t.Errorf("%s is empty", required)
		}
	}
}

// The metadata says what is supported here, and nothing else.
func TestMetadataListsSupportedFeatures(t *testing.T) {
	for clients, want := range map[string]map[string]string{
		"[{id: web, public: true, grantTypes: [password], scopes: [b, a]}]": {
			"token_endpoint_auth_methods_supported": "[none]", "scopes_supported": "[a b]", "grant_types_supported": "[password]",
		},
		"[{id: batch, secretSHA256: " + hexDigest(secret) + ", grantTypes: [client_credentials], scopes: []}]": {
			"token_endpoint_auth_methods_supported": "[client_secret_basic client_secret_post]", "grant_types_supported": "[client_credentials]",
		},
		"[]": {},
	} {
		w := prepare(t)
		ours, _, _ := strings.Cut(w.config(), "clients:\n")
		w.settings.write(map[string]string{"issuer.yaml": strings.Replace(ours, "scopes: [read, write]", "scopes: []", 1) + "clients: " + clients + "\n"})
		w.useKey("ES256", newKey(t))
		w.start()
		url := w.base + "/.well-known/oauth-authorization-server"
		r := w.get(url)
		for _, field := range []string{
			"token_endpoint_auth_methods_supported", "scopes_supported", "grant_types_supported", "token_endpoint_auth_signing_alg_values_supported",
		} {
			if value, there := r.fields[field]; there != (want[field] != "") || (there && fmt.Sprint(value) != want[field]) {
				t.Errorf("%s: %s is %v", clients, field, value)
			}
		}
		etag := r.header.Get("ETag")
		if r := w.get(url, func(r *http.Request) { r.Header.Set("If-None-Match", etag) }); etag == "" || r.status != http.StatusNotModified {
			t.Errorf("If-None-Match: %s gives %d", etag, r.status)
		}
	}
}

// An issuer that has no key yet says so, and has readers come again: a document without keys would be believed for a while.
func TestDocumentsWaitForTheKey(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.start()
	paths := []string{"/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"}
	for _, path := range paths {
		r := w.get(w.base + path)
		if r.status != http.StatusServiceUnavailable || r.fields["error_description"] != "no keys are loaded yet" ||
			r.header.Get("Retry-After") == "" || r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s %v", path, r.status, r.body, r.header)
		}
	}
	w.useKey("ES256", newKey(t))
	for _, path := range paths {
		w.until("serving "+path, func() bool { return w.get(w.base+path).status == http.StatusOK })
	}
}

func TestIssuerWithAPath(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), issuerURL, issuerURL+"/auth", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	for _, path := range []string{"/auth/jwks", "/.well-known/oauth-authorization-server/auth", "/auth/.well-known/openid-configuration"} {
		if r := w.get(w.base + path); r.status != http.StatusOK {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

func TestOnlyTLSFrom12On(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	transport := w.client.Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if r, err := (&http.Client{Transport: transport}).Get(w.base + "/jwks"); err == nil {
		t.Errorf("TLS 1.1: %d", r.StatusCode)
	}
	transport.TLSClientConfig.MinVersion, transport.TLSClientConfig.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, err := (&http.Client{Transport: transport}).Get(w.base + "/jwks"); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
	r, err := http.Post(strings.Replace(w.base, "https", "http", 1)+"/token", "application/x-www-form-urlencoded", strings.NewReader(alice()))
	if err == nil && r.StatusCode == http.StatusOK {
		t.Error("a token was issued without TLS")
	}
}

// Secrets that are planted in every input must come out nowhere but in the token.
func TestSecretsComeOutNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var out []string
	for _, r := range []reply{
		w.post(alice("scope", "canary-scope")), w.post(alice("grant_type", "canary-grant")), w.post("grant_type=canary-grant&client_id=canary-client"),
		w.post(form("grant_type", "password", "client_id", "web", "username", "canary-name", "password", "canary-password")),
		w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", "canary-secret")),
		w.post(form("grant_type", "client_credentials", "client_id", "canary-client", "client_secret", secret)),
		w.post(form("grant_type", "client_credentials"), func(r *http.Request) { r.SetBasicAuth("canary-client", "canary-secret") }),
		w.post(alice("canary-parameter", "x", "canary-parameter", "y")), w.post("%canary"), w.get(w.base + "/canary-path"),
	} {
		out = append(out, r.body)
	}
	w.users.write(map[string]string{"users.yaml": usersFile("- {name: x, subject: x, passwordHash: canary-hash}\n- misspelt: canary-field\n")})
	key := maps.Clone(w.keys.files)
	key["policy.json"] = "canary-policy"
	w.keys.write(key)
	w.cert.write(map[string]string{"tls.crt": "canary-certificate", "tls.key": "canary-key"})
	w.until("all reported", func() bool {
		return strings.Count(w.get(w.probes+"/metrics").body, "source_failing{") >= 3 && strings.Count(w.log.String(), "its last valid version, if there is one, stays in use") >= 3
	})
	if r := w.post(alice()); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	out = append(out, w.log.String(), w.audit.String(), w.get(w.probes+"/metrics").body)
	var active struct{ D string }
	w.must(json.Unmarshal([]byte(key["active.jwk"]), &active))
	for _, text := range out {
		for _, canary := range []string{"canary", password, secret, active.D, aliceHash, hexDigest(secret)} {
			if strings.Contains(text, canary) {
				t.Errorf("%q is in %s", canary, text)
			}
		}
	}
}

// The issuer has no access to the Kubernetes API, and cannot grow one unnoticed.
func TestIssuerDependsOnNoKubernetesClient(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "github.com/keywright/keywright/issuer/...", "github.com/keywright/keywright/cmd/issuer").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, path := range bytes.Fields(out) {
		if bytes.HasPrefix(path, []byte("k8s.io/")) || bytes.HasPrefix(path, []byte("sigs.k8s.io/controller-runtime")) {
			t.Errorf("the issuer depends on %s", path)
		}
	}
	if !bytes.Contains(out, []byte("github.com/go-jose/go-jose/v4")) {
		t.Error("the list of dependencies is not one")
	}
}

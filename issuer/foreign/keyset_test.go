package foreign_test

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/foreign"
)

func TestParseKeySet(t *testing.T) {
	one := key(t, "ES256", "one")
	public := one.Public()
	member, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	private, err := json.Marshal(key(t, "ES256", "two"))
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := foreign.ParseKeySet([]byte(`{"keys":[{"kty":"AKP","alg":"ML-DSA-44"},` + string(member) + `]}`)); err != nil || len(keys.Keys) != 1 {
		t.Errorf("a key of an unknown type beside: %v %v", keys, err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"keys":[]}`, `{"keys":[{}]}`, `{"keys":[` + string(private) + `]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`} {
		if _, err := foreign.ParseKeySet([]byte(bad)); err == nil {
			t.Errorf("accepted %s", bad)
		}
	}
}

func TestKeySetAsksWithItsTokenAndFollowsNoRedirect(t *testing.T) {
	k := key(t, "ES256", "one")
	answer, err := json.Marshal(set(k))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/keys", http.StatusFound)
		case r.Header.Get("Authorization") != "Bearer a-token":
			w.WriteHeader(http.StatusUnauthorized)
		default:
			_, _ = w.Write(answer)
		}
	}))
	defer server.Close()
	directory := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := write("ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	bearer, file := write("token", []byte("a-token\n")), write("keys.json", answer)
	for name, c := range map[string]struct {
		source config.KeySource
		works  bool
	}{
		"a URL":               {config.KeySource{URL: server.URL + "/keys", CAFile: ca, TokenFile: bearer}, true},
		"a file":              {config.KeySource{File: file}, true},
		"no token":            {config.KeySource{URL: server.URL + "/keys", CAFile: ca}, false},
		"no such token":       {config.KeySource{URL: server.URL + "/keys", CAFile: ca, TokenFile: "/nowhere"}, false},
		"a redirect":          {config.KeySource{URL: server.URL + "/moved", CAFile: ca, TokenFile: bearer}, false},
		"another certificate": {config.KeySource{URL: server.URL + "/keys", TokenFile: bearer}, false},
		"a CA of nothing":     {config.KeySource{URL: server.URL + "/keys", CAFile: bearer, TokenFile: bearer}, false},
		"metadata of nobody":  {config.KeySource{CAFile: ca, TokenFile: bearer}, false},
	} {
		var reported error
		keys := foreign.NewKeySet(server.URL, c.source, func(err error) { reported = err })
		parsed, err := foreign.Parse(sign(t, k, claims(), nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(t.Context(), parsed, want, now)
		if (err == nil) != c.works || (reported == nil) != c.works || (!c.works && !errors.Is(err, foreign.ErrNoKeys)) {
			t.Errorf("%s: %v, reported %v", name, err, reported)
		}
	}
}

// Keys are discovered at what the issuer itself says, and over HTTPS.
func TestDiscovery(t *testing.T) {
	k := key(t, "ES256", "one")
	answer, err := json.Marshal(set(k))
	if err != nil {
		t.Fatal(err)
	}
	keys := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) })
	plain := httptest.NewServer(keys)
	defer plain.Close()
	mux := http.NewServeMux()
	mux.Handle("GET /keys", keys)
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, c := range map[string]struct {
		issuer, jwks string
		works        bool
	}{
		"/own":     {server.URL + "/own", server.URL + "/keys", true},
		"/another": {server.URL + "/own", server.URL + "/keys", false},
		"/plain":   {server.URL + "/plain", plain.URL, false},
		"/without": {server.URL + "/without", "", false},
	} {
		mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": c.issuer, "jwks_uri": c.jwks})
		})
		var reported error
		keys := foreign.NewKeySet(server.URL+path, config.KeySource{CAFile: ca}, func(err error) { reported = err })
		parsed, err := foreign.Parse(sign(t, k, claims(), nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(t.Context(), parsed, want, now)
		says := reported != nil && strings.Contains(reported.Error(), "metadata is that of another issuer, or names no jwks_uri")
		if (err == nil) != c.works || says == c.works || (!c.works && !errors.Is(err, foreign.ErrNoKeys)) {
			t.Errorf("%s: %v, reported %v", path, err, reported)
		}
	}
}

// While the keys cannot be read, and were asked for just now, it is still the keys that are missing, and not a key that is unknown:
// the answer is to come again.
func TestNoKeysIsSaidWithoutAskingAgain(t *testing.T) {
	parsed, err := foreign.Parse(sign(t, key(t, "ES256", "one"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	keys := foreign.NewKeySet("https://them.example.com", config.KeySource{File: filepath.Join(t.TempDir(), "none")}, func(error) { asked++ })
	for range 10 {
		if _, err := keys.Verify(t.Context(), parsed, want, now); !errors.Is(err, foreign.ErrNoKeys) {
			t.Errorf("after %d questions: %v", asked, err)
		}
	}
	if asked == 0 || asked > 3 {
		t.Errorf("it asked %d times", asked)
	}
}

func FuzzParseKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if keys, err := foreign.ParseKeySet(b); err == nil {
			for i := range keys.Keys {
				if !keys.Keys[i].IsPublic() {
					t.Errorf("accepted %s", b)
				}
			}
		}
	})
}

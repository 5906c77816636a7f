package jwtverify_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/issuer/jwtverify"
)

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
	ca := certificateOf(t, server)
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
		keys := jwtverify.NewKeySet(server.URL+path, jwtverify.KeySource{CAFile: ca}, func(err error) { reported = err }, nobody)
		parsed, err := jwtverify.Parse(sign(t, k, claims(), nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(t.Context(), parsed, want, anybody, now)
		says := reported != nil && strings.Contains(reported.Error(), "openid-configuration: ")
		if (err == nil) != c.works || says == c.works || (!c.works && !errors.Is(err, jwtverify.ErrKeysUnavailable)) {
			t.Errorf("%s: %v, reported %v", path, err, reported)
		}
	}
}

// While the keys cannot be read, and were asked for just now, it is still the keys that are missing, and not a key that is unknown:
// the answer is to come again.
func TestKeysUnavailableIsSaidWithoutAskingAgain(t *testing.T) {
	parsed, err := jwtverify.Parse(sign(t, key(t, "ES256", "one"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	keys := jwtverify.NewKeySet("https://them.example.com", jwtverify.KeySource{File: filepath.Join(t.TempDir(), "none")}, func(error) { asked++ }, nobody)
	for range 10 {
		if _, err := keys.Verify(t.Context(), parsed, want, anybody, now); !errors.Is(err, jwtverify.ErrKeysUnavailable) {
			t.Errorf("after %d questions: %v", asked, err)
		}
	}
	if asked == 0 || asked > 3 {
		t.Errorf("it asked %d times", asked)
	}
}

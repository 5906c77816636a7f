package jwtverify_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/jwtverify"
)

func TestKeySetRequestHasItsTokenAndFollowsNoRedirect(t *testing.T) {
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
		source jwtverify.KeySource
		works  bool
	}{
		"a URL":               {jwtverify.KeySource{URL: server.URL + "/keys", CAFile: ca, TokenFile: bearer}, true},
		"a file":              {jwtverify.KeySource{File: file}, true},
		"no token":            {jwtverify.KeySource{URL: server.URL + "/keys", CAFile: ca}, false},
		"no such token":       {jwtverify.KeySource{URL: server.URL + "/keys", CAFile: ca, TokenFile: "/nowhere"}, false},
		"a redirect":          {jwtverify.KeySource{URL: server.URL + "/moved", CAFile: ca, TokenFile: bearer}, false},
		"another certificate": {jwtverify.KeySource{URL: server.URL + "/keys", TokenFile: bearer}, false},
		"a CA of nothing":     {jwtverify.KeySource{URL: server.URL + "/keys", CAFile: bearer, TokenFile: bearer}, false},
		"metadata of nobody":  {jwtverify.KeySource{CAFile: ca, TokenFile: bearer}, false},
	} {
		var reported error
		keys := jwtverify.NewKeySet(server.URL, c.source, func(err error) { reported = err }, nobody)
		parsed, err := jwtverify.Parse(sign(t, k, claims(), nil))
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(t.Context(), parsed, want, anybody, now)
		if (err == nil) != c.works || (reported == nil) != c.works || (!c.works && !errors.Is(err, jwtverify.ErrKeysUnavailable)) {
			t.Errorf("%s: %v, reported %v", name, err, reported)
		}
	}
}

// Who goes away does not use up for others how often unknown keys may make us ask.
func TestKeysAreReadForWhoHasGone(t *testing.T) {
	k := key(t, "ES256", "one")
	answer, err := json.Marshal(set(k))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	defer server.Close()
	ca := certificateOf(t, server)
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{URL: server.URL, CAFile: ca}, func(error) {}, nobody)
	stranger, err := jwtverify.Parse(sign(t, key(t, "ES256", "unknown"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if _, err := keys.Verify(gone, stranger, want, anybody, now); !errors.Is(err, jwtverify.ErrUnknownKey) {
			t.Errorf("the stranger: %v", err)
		}
	}
	parsed, err := jwtverify.Parse(sign(t, k, claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Verify(t.Context(), parsed, want, anybody, now); err != nil {
		t.Error(err)
	}
}

// A password in a URL would end up in the log.
func TestMetadataWithAPasswordIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		host := server.Listener.Addr().String()
		_, _ = fmt.Fprintf(w, `{"issuer":"https://%s","jwks_uri":"https://me:canary@%s/keys"}`, host, host)
	})
	server.StartTLS()
	defer server.Close()
	ca := certificateOf(t, server)
	var reported error
	keys := jwtverify.NewKeySet(server.URL, jwtverify.KeySource{CAFile: ca}, func(err error) { reported = err }, nobody)
	parsed, err := jwtverify.Parse(sign(t, key(t, "ES256", "one"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Verify(t.Context(), parsed, want, anybody, now); err == nil || reported == nil || !strings.Contains(reported.Error(), "without user information") {
		t.Errorf("%v, reported %v", err, reported)
	}
}

// When a new key appears, all whose tokens have it wait for the one answer that brings it.
func TestAllWaitForTheNewKey(t *testing.T) {
	k := key(t, "ES256", "new")
	answer, err := json.Marshal(set(k))
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			_, _ = w.Write([]byte(`{"keys":[]}`))
			return
		}
		<-time.After(300 * time.Millisecond)
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	ca := certificateOf(t, server)
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{URL: server.URL, CAFile: ca}, func(error) {}, nobody)
	verify := func() error {
		parsed, err := jwtverify.Parse(sign(t, k, claims(), nil))
		if err != nil {
			return err
		}
		_, err = keys.Verify(t.Context(), parsed, want, anybody, now)
		return err
	}
	if err := verify(); !errors.Is(err, jwtverify.ErrUnknownKey) && !errors.Is(err, jwtverify.ErrKeysUnavailable) {
		t.Errorf("before it is there: %v", err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := verify(); err != nil {
				t.Errorf("when it is there: %v", err)
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// certificateOf is the file of the certificate that a server must be trusted by.
func certificateOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A file that cannot be read is reported once, and again when the reason is another one.
func TestEachProblemIsReportedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys.json")
	var reported []string
	keys := jwtverify.NewKeySet("them", jwtverify.KeySource{File: file}, func(err error) { reported = append(reported, fmt.Sprint(err)) }, nobody)
	parsed, err := jwtverify.Parse(sign(t, key(t, "ES256", "one"), claims(), nil))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := keys.Verify(t.Context(), parsed, want, jwtverify.Requester{Name: name, Authenticated: true}, now); !errors.Is(err, jwtverify.ErrKeysUnavailable) {
				t.Error(err)
			}
		}
	}
	ask("a", "b")
	if err := os.WriteFile(file, []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	ask("c", "d")
	if len(reported) != 2 || reported[0] == reported[1] {
		t.Errorf("reported are %q", reported)
	}
}

package verifier

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// issuerServer serves keys to anybody, and a revocation list to one client.
type issuerServer struct {
	*httptest.Server
	keys, list atomic.Pointer[[]byte] // a list of nil is answered with 500
	full       atomic.Int32           // lists answered with a body
	secretFile string
}

const (
	readerID     = "read:er"
	readerSecret = "p%ss wörd"
)

func newIssuerServer(t *testing.T, keys, list []byte) *issuerServer {
	s := &issuerServer{secretFile: filepath.Join(t.TempDir(), "secret")}
	s.serve(keys, list)
	s.writeSecret(t, readerSecret+"\n")
	mux := http.NewServeMux()
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the secret was sent to the key set")
		}
		answerWithETag(w, r, *s.keys.Load())
	})
	mux.HandleFunc("/revoked", func(w http.ResponseWriter, r *http.Request) {
		switch user, password, _ := r.BasicAuth(); {
		case user != "read%3Aer" || password != "p%25ss+w%C3%B6rd":
			w.WriteHeader(http.StatusUnauthorized)
		case *s.list.Load() == nil:
			w.WriteHeader(http.StatusInternalServerError)
		case answerWithETag(w, r, *s.list.Load()):
			s.full.Add(1)
		}
	})
	s.Server = httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

// answerWithETag reports whether it sent the body.
func answerWithETag(w http.ResponseWriter, r *http.Request, body []byte) bool {
	etag := `"` + encode(string(body)) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return false
	}
	_, _ = w.Write(body)
	return true
}

func (s *issuerServer) serve(keys, list []byte) { s.keys.Store(&keys); s.list.Store(&list) }

func (s *issuerServer) writeSecret(t *testing.T, secret string) {
	t.Helper()
	if err := os.WriteFile(s.secretFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *issuerServer) source() Source {
	return HTTPS(s.URL+"/jwks", s.Client(), WithRevocations(s.URL+"/revoked", readerID, s.secretFile))
}

// The list of an endpoint counts as that of a file does, is read with each look, and is asked for again only when it changed.
func TestFollowsTheListOfAnEndpoint(t *testing.T) {
	es, other := esKey(), otherKey()
	none, alice := encodeRevocationList(0, nil), ends("sub", "alice", testNow.Unix())
	server := newIssuerServer(t, setOf(es.jwk()), none)
	f := followSource(t, server.source())
	remembered := es.good()
	f.verify("at start", remembered, nil)

	f.poll()
	if server.full.Load() != 1 {
		t.Errorf("the list was sent %d times", server.full.Load())
	}
	server.serve(setOf(es.jwk()), alice)
	f.poll()
	f.verify("ended", remembered, ErrRevoked)

	server.serve(setOf(es.jwk(), other.jwk()), alice)
	f.poll()
	f.wants("other keys beside the same list", "es", "other")
	f.verify("still ended", remembered, ErrRevoked)

	server.serve(setOf(es.jwk()), none)
	f.poll()
	f.verify("when the entry has expired", remembered, nil)
}

// A list that cannot be read leaves the last one in force, keeps no key from being read, and is reported.
func TestKeepsTheLastListOfAnEndpoint(t *testing.T) {
	es, other := esKey(), otherKey()
	alice := ends("sub", "alice", testNow.Unix())
	for name, c := range map[string]struct {
		list   []byte
		secret string
	}{
		"500":            {nil, readerSecret},
		"no list":        {[]byte("{"), readerSecret},
		"too long":       {[]byte(strings.Repeat(" ", 2<<20) + string(alice)), readerSecret},
		"another secret": {alice, "wrong"},
		"empty secret":   {alice, "\n"},
		"endless secret": {alice, strings.Repeat("s", 2<<10)},
	} {
		server := newIssuerServer(t, setOf(es.jwk()), alice)
		f := followSource(t, server.source())
		server.serve(setOf(es.jwk(), other.jwk()), c.list)
		server.writeSecret(t, c.secret)
		f.poll()
		f.wants(name, "es", "other")
		f.verify(name, es.good(), ErrRevoked)
		if failure := f.KeySets()[0].Failure; !strings.HasPrefix(failure, "revocation list: ") || strings.Contains(failure, "ssss") {
			t.Errorf("%s: the failure is %q", name, failure)
		}
		server.serve(setOf(es.jwk()), encodeRevocationList(0, nil))
		server.writeSecret(t, readerSecret)
		f.poll()
		f.verify(name+", whole again", es.good(), nil)
	}
}

// A service that is to hear of revocations does not start deaf.
func TestNewRefusesAnEndpointWithoutItsList(t *testing.T) {
	server := newIssuerServer(t, setOf(esKey().jwk()), encodeRevocationList(0, nil))
	for name, option := range map[string]HTTPSOption{
		"no HTTPS":       WithRevocations("http://issuer.example.com/revoked", readerID, server.secretFile),
		"no client":      WithRevocations(server.URL+"/revoked", "", server.secretFile),
		"no secret":      WithRevocations(server.URL+"/revoked", readerID, ""),
		"no secret file": WithRevocations(server.URL+"/revoked", readerID, server.secretFile+".gone"),
		"another client": WithRevocations(server.URL+"/revoked", "other", server.secretFile),
		"no such list":   WithRevocations(server.URL+"/elsewhere", readerID, server.secretFile),
	} {
		v, err := New(Config{
			Issuers: map[string]Source{testIssuer: HTTPS(server.URL+"/jwks", server.Client(), option)}, Audience: testAudience,
		})
		if err == nil {
			v.Close()
			t.Errorf("%s: New starts", name)
		}
	}
}

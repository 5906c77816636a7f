package verifier

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// jwksServer is an issuer's endpoint over TLS, with an ETag as net/http checks it.
type jwksServer struct {
	*httptest.Server
	answer   atomic.Pointer[http.HandlerFunc]
	requests atomic.Int32
	full     atomic.Int32 // answered with a body
}

func newJWKSServer(t *testing.T, set []byte) *jwksServer {
	s := &jwksServer{}
	s.serve(set)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// serve answers with a set from now on.
func (s *jwksServer) serve(set []byte) {
	etag := `"` + encode(string(set[len(set)/2:]))[:20] + `"`
	s.with(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", etag)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		s.full.Add(1)
		_, _ = w.Write(set)
	})
}

func (s *jwksServer) with(answer http.HandlerFunc) { s.answer.Store(&answer) }

func (s *jwksServer) source() Source { return HTTPS(s.URL+"/jwks", s.Client()) }

func TestFollowsAnEndpoint(t *testing.T) {
	es, other := esKey(), otherKey()
	server := newJWKSServer(t, setOf(es.jwk()))
	f := followSource(t, server.source())
	f.verify("at start", es.good(), nil)

	f.poll()
	if server.requests.Load() != 2 || server.full.Load() != 1 {
		t.Errorf("%d requests, %d of them answered in full: the second was not conditional", server.requests.Load(), server.full.Load())
	}
	if status := f.KeySets()[0]; status.Failure != "" {
		t.Errorf("unchanged is a failure: %s", status.Failure)
	}
	server.serve(setOf(other.jwk()))
	f.verify("a new key, asked for at once", other.good(), nil)
	f.verify("a key that is gone", es.good(), ErrUnknownKey)

	server.serve(setOf(es.jwk()))
	f.verify("within the floor", es.good(), ErrUnknownKey)
	f.clock.advance(5*time.Second - 1)
	f.verify("just within the floor", es.good(), ErrUnknownKey)
	f.clock.advance(1)
	f.verify("past the floor", es.good(), nil)
}

func TestKeepsTheLastGoodSetOfAnEndpoint(t *testing.T) {
	good := setOf(esKey().jwk())
	elsewhere := newJWKSServer(t, setOf(otherKey().jwk()))
	for name, answer := range map[string]http.HandlerFunc{
		"500":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"404":     http.NotFound,
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat(" ", 2<<20) + string(good)))
		},
		"cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			_, _ = w.Write(good)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/jwks", http.StatusFound)
		},
		"304 that nobody asked for": func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match") != "" {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.WriteHeader(http.StatusNotModified)
		},
	} {
		server := newJWKSServer(t, good)
		f := followSource(t, server.source())
		server.with(answer)
		f.poll()
		f.poll() // after a failure nothing is conditional
		if f.KeySets()[0].Failure == "" || f.log.count("cannot be read") == 0 {
			t.Errorf("%s: no failure: %s", name, f.log.text.String())
		}
		f.verify(name, esKey().good(), nil)
		server.serve(setOf(otherKey().jwk()))
		f.poll()
		f.wants(name+", whole again", "other")
	}
	if elsewhere.requests.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

func TestNewRefusesEndpoints(t *testing.T) {
	server := newJWKSServer(t, setOf(esKey().jwk()))
	for _, address := range []string{
		"", "http://issuer.example.com/jwks", "https:///jwks", "https://user:password@issuer.example.com/jwks", "file:///etc/passwd",
		"https://issuer.example.com/jwks#keys", "://", "/jwks",
	} {
		newFails(t, HTTPS(address, server.Client()), "https://host/path")
	}
	newFails(t, HTTPS(server.URL+"/jwks", nil), "certificate") // it is signed by nobody that the system knows
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(setOf(esKey().jwk())) }))
	defer plain.Close()
	newFails(t, HTTPS(strings.Replace(plain.URL, "http:", "https:", 1), server.Client()), "HTTP response to HTTPS client")
	server.with(http.NotFound)
	newFails(t, server.source(), "404")
}

// An endpoint that accepts a request and never answers must hold up neither Close nor, past its timeout, a Verifier.
func TestEndpointThatHangs(t *testing.T) {
	server := newJWKSServer(t, setOf(esKey().jwk()))
	f := followSource(t, server.source())
	arrived, leave := make(chan struct{}), make(chan struct{})
	server.with(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-leave:
		}
	})
	defer close(leave)
	ended := make(chan error)
	go func() {
		_, err := f.Verify(t.Context(), otherKey().good())
		ended <- err
	}()
	<-arrived
	f.verify("a known key meanwhile", esKey().good(), nil)
	f.Close()
	wantError(t, "the waiting one", <-ended, ErrClosed, "")
	f.verify("after Close", esKey().good(), ErrClosed)
	if f.log.count("cannot be read") != 0 {
		t.Errorf("the end of the request was taken for a failure: %s", f.log.text.String())
	}
	client := server.Client()
	client.Timeout = time.Hour
	if opened := must(HTTPS(server.URL, client).open()); opened.(*httpsReader).client.Timeout != fetchTimeout {
		t.Error("a request may take longer than fetchTimeout")
	}
	if opened := must(HTTPS(server.URL, nil).open()); opened.(*httpsReader).client.Timeout != fetchTimeout {
		t.Error("a request without a client may take longer than fetchTimeout")
	}
}

// An endpoint is looked at every 30 seconds and a file every second, if the Config does not say otherwise.
func TestPaces(t *testing.T) {
	for _, row := range []struct {
		source           Source
		configured, want time.Duration
	}{
		{HTTPS("https://issuer.example.com", nil), 0, 30 * time.Second},
		{HTTPS("https://issuer.example.com", nil), 10 * time.Second, 10 * time.Second},
		{File("main.json"), 0, time.Second},
		{File("main.json"), time.Minute, time.Minute},
	} {
		if got := newPoller(nil, row.source, Config{PollInterval: row.configured}, nil).interval; got != row.want {
			t.Errorf("%s, configured %v: looked at every %v", row.source, row.configured, got)
		}
	}
}

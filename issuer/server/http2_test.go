package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// useHTTP2 makes the client speak HTTP/2 over one connection, as browsers and most programs do. With a TLS configuration of its own,
// a Go client does so only when it is told to.
func (w *world) useHTTP2() {
	w.client = newHTTP2Client(w.client.Transport.(*http.Transport).TLSClientConfig)
}

func newHTTP2Client(trust *tls.Config) *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}}
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.useHTTP2()
	r := w.post(alice())
	if r.status != http.StatusOK || r.proto != "HTTP/2.0" {
		t.Fatalf("%s %d %s", r.proto, r.status, r.body)
	}
	w.verify(r.fields["access_token"].(string), audience)
	for what, length := range map[string]int{"a long body": 17 << 10, "one that no buffer holds": 4 << 20} {
		if r := w.post(alice("x", strings.Repeat("x", length))); r.status != http.StatusRequestEntityTooLarge || r.proto != "HTTP/2.0" {
			t.Errorf("%s: %s %d %s", what, r.proto, r.status, r.body)
		}
	}
	if r := w.post(alice()); r.status != http.StatusOK {
		t.Errorf("after what was too large: %d %s", r.status, r.body)
	}
}

// An issuer that stops tells HTTP/2 clients to connect elsewhere (RFC 9113 section 6.8), and answers all that they had sent. Here
// elsewhere is nowhere: the requests that fail are those that were never sent.
func TestHTTP2LosesNoRequestWhileStopping(t *testing.T) {
	t.Parallel() // it waits for the end of drainFor, which a busy machine must not miss
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  drainFor: 10s", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	elsewhere := errors.New("nobody to connect to")
	var gone atomic.Bool
	var all sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		client := newHTTP2Client(w.client.Transport.(*http.Transport).TLSClientConfig)
		client.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if gone.Load() {
				return nil, elsewhere
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		for stream := range 4 { // a connection has several at once
			all.Go(func() {
				for n := 0; ; n++ {
					request := form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)
					if stream == 0 && n%10 == 9 {
						request = alice() // takes a while, and on a busy machine too long if all do it
					}
					err := ask(t.Context(), client, w.base, request)
					if errors.Is(err, elsewhere) {
						return
					}
					// On a busy machine some logins do not get their turn within two seconds: that is an answer too.
					if err != nil && !strings.Contains(err.Error(), "too many logins at once") {
						t.Errorf("lost: %v", err)
						return
					}
					answered.Add(1)
				}
			})
		}
	}
	w.until("loaded", func() bool { return answered.Load() > 200 })
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.until("not ready", func() bool { return w.get(w.probes+"/readyz").status == http.StatusServiceUnavailable })
	gone.Store(true) // as an address that is no longer behind a Service
	all.Wait()
	if r := w.get(w.base + "/jwks"); r.status != http.StatusOK { // they went before the end, and not because of it
		t.Errorf("/jwks: %d", r.status)
	}
	w.must(<-stopped)
}

// ask asks for a token.
func ask(ctx context.Context, client *http.Client, base, form string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/token", strings.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	b, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", response.StatusCode, b)
	}
	return err
}

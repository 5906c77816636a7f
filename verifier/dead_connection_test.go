package verifier

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// cable is one direction of a connection, and holds all that was written until it is read, as a kernel does. All its
// waiting is for channels, so that a bubble of synctest sees it.
type cable struct {
	mu      sync.Mutex
	data    bytes.Buffer
	closed  bool
	expired bool          // the deadline of reading has passed
	dead    bool          // what is written gets lost, and the writer hears nothing of it
	changed chan struct{} // closed at the next change
}

func newCable() *cable { return &cable{changed: make(chan struct{})} }

func (c *cable) change(how func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	how()
	close(c.changed)
	c.changed = make(chan struct{})
}

// end is one end of a connection between two that are not connected by a network: a bubble of synctest, in which hours
// pass in no time, cannot wait for one.
type end struct{ in, out *cable }

func (e *end) Read(b []byte) (int, error) {
	for {
		e.in.mu.Lock()
		if e.in.data.Len() > 0 {
			n, err := e.in.data.Read(b)
			e.in.mu.Unlock()
			return n, err
		}
		closed, expired, changed := e.in.closed, e.in.expired, e.in.changed
		e.in.mu.Unlock()
		if closed {
			return 0, io.EOF
		}
		if expired {
			return 0, os.ErrDeadlineExceeded
		}
		<-changed
	}
}

func (e *end) Write(b []byte) (n int, err error) {
	e.out.change(func() {
		switch {
		case e.out.closed:
			err = net.ErrClosed
		case e.out.dead:
			n = len(b)
		default:
			n, err = e.out.data.Write(b)
		}
	})
	return n, err
}

// Close ends both directions here. Over a dead cable the peer does not hear of it.
func (e *end) Close() error {
	e.in.change(func() { e.in.closed = true })
	e.out.change(func() { e.out.closed = e.out.closed || !e.out.dead })
	return nil
}

// SetReadDeadline knows moments in the past, by which a server ends a reading, and takes all others for none.
func (e *end) SetReadDeadline(at time.Time) error {
	e.in.change(func() { e.in.expired = !at.IsZero() && at.Before(time.Now()) })
	return nil
}

func (e *end) SetDeadline(at time.Time) error   { return e.SetReadDeadline(at) }
func (e *end) SetWriteDeadline(time.Time) error { return nil }
func (e *end) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (e *end) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// proxy stands between clients and a server, and can swallow what goes through the connections that it has.
type proxy struct {
	toServer chan net.Conn
	stop     func() // ends Accept

	mu   sync.Mutex
	ends []*end // of the clients
}

func (p *proxy) dial(context.Context, string, string) (net.Conn, error) {
	there, back := newCable(), newCable()
	client := &end{in: back, out: there}
	p.mu.Lock()
	p.ends = append(p.ends, client)
	p.mu.Unlock()
	p.toServer <- &end{in: there, out: back}
	return client, nil
}

func (p *proxy) dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.ends)
}

// swallow loses all that is sent to the server, or by it, over the connections that there are now.
func (p *proxy) swallow(toServer, fromServer bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.ends {
		e.out.change(func() { e.out.dead = toServer })
		e.in.change(func() { e.in.dead = fromServer })
	}
}

func (p *proxy) Accept() (net.Conn, error) {
	if conn, ok := <-p.toServer; ok {
		return conn, nil
	}
	return nil, net.ErrClosed
}
func (p *proxy) Close() error   { p.stop(); return nil }
func (p *proxy) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// A connection may go dead without a word: packets are dropped, a NAT has forgotten it, the peer is frozen. HTTP/2 would
// use it for many minutes more. All that is waited for here is the clock of the bubble.
func TestDeadConnectionIsReplaced(t *testing.T) {
	if fips140.Enabled() {
		t.Skip("in FIPS mode Go gathers entropy from the time that work takes, and in a bubble work takes none: TLS cannot run there")
	}
	for _, row := range []struct {
		name                 string
		http2                bool
		toServer, fromServer bool
		poll, after          time.Duration
	}{
		{"HTTP/2, packets dropped both ways", true, true, true, time.Second, 2500 * time.Millisecond},
		{"HTTP/2, a frozen peer, or answers dropped", true, false, true, time.Second, 2500 * time.Millisecond},
		{"HTTP/2, requests dropped", true, true, false, time.Second, 2500 * time.Millisecond},
		{"HTTP/2, just before a look of the default pace", true, true, true, 0, 30*time.Second - 1},
		{"HTTP/2, seconds before a look of the default pace", true, true, true, 0, 26 * time.Second},
		{"HTTP/1.1, packets dropped both ways", false, true, true, time.Second, 2500 * time.Millisecond},
		{"HTTP/1.1, just before a look of the default pace", false, true, true, 0, 30*time.Second - 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				between, server := serveThroughProxy(t, row.http2)
				v, err := New(Config{
					Issuers: map[string]Source{testIssuer: HTTPS(server.URL+"/jwks", server.Client())}, Audience: testAudience,
					PollInterval: row.poll, Logger: (&log{}).logger(),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer v.Close()
				<-time.After(row.after)
				if n := between.dialled(); n != 1 || v.KeySets()[0].Failure != "" {
					t.Fatalf("before: %d connections, %+v", n, v.KeySets()[0])
				}
				between.swallow(row.toServer, row.fromServer)
				<-time.After(10 * time.Second)
				synctest.Wait()
				set := v.KeySets()[0]
				if n := between.dialled(); n != 2 || set.Failure != "" {
					t.Errorf("10 s after the connection went dead: %d connections, %+v", n, set)
				}
			})
		})
	}
}

// serveThroughProxy starts an issuer's endpoint behind a proxy, for clients of the bubble alone.
func serveThroughProxy(t *testing.T, http2 bool) (*proxy, *httptest.Server) {
	t.Helper()
	between := &proxy{toServer: make(chan net.Conn)}
	between.stop = sync.OnceFunc(func() { close(between.toServer) })
	set := setOf(esKey().jwk())
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	must(0, server.Listener.Close())
	server.Listener, server.EnableHTTP2 = between, http2
	server.StartTLS()
	t.Cleanup(server.Close)
	server.Client().Transport.(*http.Transport).DialContext = between.dial
	return between, server
}

// roundTripper is one that is no *http.Transport.
type roundTripper struct{ http.RoundTripper }

// The client of a caller is not changed, and what it says of HTTP/2 holds.
func TestCallersClientIsNotChanged(t *testing.T) {
	server := newJWKSServer(t, setOf(esKey().jwk()))
	used := server.Client()
	must(used.Get(server.URL)) // a Transport that was used has a TLSNextProto of its own making
	other := &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	own := roundTripper{http.DefaultTransport}
	for _, row := range []struct {
		name  string
		given http.RoundTripper
		as    http.RoundTripper // what is used instead of a copy
		ping  time.Duration
		keeps int
	}{
		{"none", nil, nil, pingAfter, 0},
		{"one that was used", used.Transport, nil, pingAfter, 0},
		{"other settings of HTTP/2", &http.Transport{HTTP2: &http.HTTP2Config{MaxReadFrameSize: 1 << 15}}, nil, pingAfter, 1 << 15},
		{"pings of its own", &http.Transport{HTTP2: &http.HTTP2Config{SendPingTimeout: time.Hour}}, nil, time.Hour, 0},
		{"protocols of its own", other, other, 0, 0},
		{"another RoundTripper", own, own, 0, 0},
	} {
		client := &http.Client{Transport: row.given}
		opened := must(HTTPS(server.URL, client).open()).(*httpsReader).client.Transport
		if client.Transport != row.given || client.CheckRedirect != nil || client.Timeout != 0 {
			t.Errorf("%s: the caller's client was changed", row.name)
		}
		if row.as != nil {
			if opened != row.as {
				t.Errorf("%s: it is not used as it is", row.name)
			}
			continue
		}
		settings := opened.(*http.Transport).HTTP2
		if opened == row.given || opened == http.DefaultTransport || settings.SendPingTimeout != row.ping || settings.MaxReadFrameSize != row.keeps {
			t.Errorf("%s: %+v", row.name, settings)
		}
		if given, ok := row.given.(*http.Transport); ok && given.HTTP2 != nil && given.HTTP2.SendPingTimeout == pingAfter {
			t.Errorf("%s: the caller's Transport was changed", row.name)
		}
	}
	without := must(HTTPS(server.URL, nil).open()).(*httpsReader).client.Transport.(*http.Transport)
	if without.HTTP2.SendPingTimeout != pingAfter || without.HTTP2.PingTimeout != pingTimeout {
		t.Errorf("without a client: %+v", without.HTTP2)
	}
}

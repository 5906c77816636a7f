package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// fetchTimeout bounds a whole request, since tokens with an unknown kid wait for it.
	fetchTimeout = 5 * time.Second
	// pingAfter is for how long a connection of HTTP/2 may be silent until it is asked whether it lives, and pingTimeout
	// for how long it may take to answer. With firstRetry they leave a second of the ten that HTTPS promises.
	pingAfter   = 4 * time.Second
	pingTimeout = 2 * time.Second
)

// HTTPS is the Source of a service outside the cluster: the JWKS endpoint of the issuer (jwks_uri in its metadata). It
// is asked every 30 seconds, with If-None-Match, and for unknown kids at most every 5 seconds, by one request at a time
// that ends after 5 seconds. Redirects are not followed. client may be nil; give one for other certificates than those of
// the system, or a proxy other than that of the environment.
//
// A connection that goes dead without a word (a node died, a NAT forgot it, the peer is frozen) is given up within 10
// seconds: over HTTP/2 by pings, over HTTP/1.1 by the end of the request. client is not changed. If its Transport is nil
// or an *http.Transport, a copy of it, with connections of its own, is used and pings, unless its HTTP2 has a
// SendPingTimeout or its TLSNextProto is set. Any other RoundTripper, and one that golang.org/x/net/http2 has
// configured, is used as it is, and must find dead connections itself (ReadIdleTimeout): else it goes on with one for
// many minutes, in which no new key and no revocation is heard.
//
// A service that has the file should not ask the endpoint: it would then depend on the network, and what has dropped a
// revoked key first is the file.
func HTTPS(address string, client *http.Client) Source {
	return endpoint{address: address, client: client}
}

// endpoint is the Source that HTTPS makes.
type endpoint struct {
	address string
	client  *http.Client
}

func (e endpoint) String() string { return e.address }

func (e endpoint) key() any { return e }

func (e endpoint) pace() (look, unknown time.Duration) { return 30 * time.Second, 5 * time.Second }

func (e endpoint) open() (content, error) {
	parsed, err := url.Parse(e.address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.Fragment != "" {
		return nil, errors.New("not a URL of the form https://host/path: what changes it on the way signs for the issuer")
	}
	client := http.Client{Transport: pinging(&http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true})}
	if e.client != nil {
		client = *e.client
		client.Transport = pinging(client.Transport)
	}
	if client.Timeout <= 0 || client.Timeout > fetchTimeout {
		client.Timeout = fetchTimeout
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &fetched{address: e.address, client: client}, nil
}

// pinging returns a copy of a Transport that finds dead connections of HTTP/2, or the Transport itself where a copy might
// behave in another way or would not ping.
func pinging(given http.RoundTripper) http.RoundTripper {
	if given == nil {
		given = http.DefaultTransport
	}
	transport, ok := given.(*http.Transport)
	if !ok {
		return given
	}
	transport = transport.Clone()
	if transport.TLSNextProto != nil { // the caller speaks HTTP/2 by other means, or not at all
		return given
	}
	if transport.HTTP2 == nil {
		transport.HTTP2 = &http.HTTP2Config{}
	}
	if transport.HTTP2.SendPingTimeout == 0 {
		transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = pingAfter, pingTimeout
	}
	return transport
}

// fetched follows one endpoint.
type fetched struct {
	address string
	client  http.Client
	etag    string // of what was read last, "" if it had none
}

func (f *fetched) read(ctx context.Context, _ time.Time, again bool) (version, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.address, nil)
	if err != nil {
		return version{}, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	if f.etag != "" && !again {
		request.Header.Set("If-None-Match", f.etag)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return version{}, err
	}
	// One byte more than a key set may have, so that ParseKeySet refuses what is longer.
	data, err := io.ReadAll(io.LimitReader(response.Body, maxKeySetBytes+1))
	_ = response.Body.Close()
	switch {
	case err != nil:
		return version{}, err
	case response.StatusCode == http.StatusNotModified && request.Header.Get("If-None-Match") != "":
		return version{}, errUnchanged
	case response.StatusCode != http.StatusOK:
		return version{}, fmt.Errorf("the answer is %s", response.Status)
	}
	f.etag = response.Header.Get("ETag")
	return version{keys: data}, nil
}

func (f *fetched) frozen() string { return "" }

func (f *fetched) close() { f.client.CloseIdleConnections() }

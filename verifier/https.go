package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
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
// The endpoint has no revocation list: WithRevocations reads the one of the issuer.
//
// A service that has the file should not ask the endpoint: it would then depend on the network, and what has dropped a
// revoked key first is the file.
func HTTPS(address string, client *http.Client, options ...HTTPSOption) Source {
	e := endpoint{address: address, client: client}
	for _, option := range options {
		option(&e)
	}
	return e
}

// HTTPSOption changes what HTTPS reads.
type HTTPSOption func(*endpoint)

// WithRevocations reads the revocation list of the issuer along with its keys, from address, such as
// https://issuer.example.com/revoked. The issuer gives it to clients that are configured with revocationList: true. The
// service authenticates as the client clientID, by HTTP Basic (RFC 6749 section 2.3.1). Its secret is the content of
// secretFile, which is read for each request, without the white space at its end.
//
// New fails while the list cannot be read. Later the last good list stays in use, and KeySetStatus has the failure.
func WithRevocations(address, clientID, secretFile string) HTTPSOption {
	return func(e *endpoint) { e.list = credentials{address: address, clientID: clientID, secretFile: secretFile} }
}

// endpoint is the Source that HTTPS makes.
type endpoint struct {
	address string
	client  *http.Client
	list    credentials // zero if no revocation list is read
}

// credentials are where a revocation list is, and whom the issuer gives it to.
type credentials struct {
	address, clientID, secretFile string
}

func (e endpoint) String() string { return e.address }

func (e endpoint) key() any { return e }

func (e endpoint) pace() (look, unknown time.Duration) { return 30 * time.Second, 5 * time.Second }

func (e endpoint) open() (content, error) {
	if err := checkAddress(e.address); err != nil {
		return nil, err
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
	f := &fetched{client: client, keys: download{address: e.address, accept: "application/jwk-set+json, application/json", most: maxKeySetBytes}}
	if e.list != (credentials{}) {
		if err := checkAddress(e.list.address); err != nil {
			return nil, fmt.Errorf("revocation list: %w", err)
		}
		if e.list.clientID == "" || e.list.secretFile == "" {
			return nil, errors.New("revocation list: the ID or the file with the secret of the client is empty")
		}
		f.list = &download{address: e.list.address, accept: "application/json", most: maxRevokedBytes, authorize: e.list.authorize}
	}
	return f, nil
}

// checkAddress refuses what is no URL to read keys from.
func checkAddress(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.Fragment != "" {
		return errors.New("not a URL of the form https://host/path: what changes it on the way signs for the issuer")
	}
	return nil
}

// maxSecretBytes bounds the secret of a client.
const maxSecretBytes = 1 << 10

// authorize authenticates a request as the client. ID and secret are form-encoded first (RFC 6749 section 2.3.1).
func (c credentials) authorize(request *http.Request) error {
	secret, err := readFile(c.secretFile, maxSecretBytes)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(secret), " \t\r\n")
	if text == "" || len(secret) > maxSecretBytes {
		return fmt.Errorf("the secret of the client is empty, or longer than %d bytes", maxSecretBytes)
	}
	request.SetBasicAuth(url.QueryEscape(c.clientID), url.QueryEscape(text))
	return nil
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

// fetched follows one endpoint, and the revocation list if there is one.
type fetched struct {
	client http.Client
	keys   download
	list   *download // nil if no list is read
}

// download is one document of an issuer, and what was read of it last.
type download struct {
	address, accept string
	most            int64 // bytes
	authorize       func(*http.Request) error
	etag            string // "" if it had none
	body            []byte
}

func (f *fetched) read(ctx context.Context, _ time.Time, again bool) (version, error) {
	changed, err := f.keys.fetch(ctx, &f.client, again)
	if err != nil {
		return version{}, err
	}
	read := version{keys: f.keys.body}
	if f.list != nil {
		listChanged, err := f.list.fetch(ctx, &f.client, again)
		if err != nil {
			read.listFailure = fmt.Errorf("revocation list: %w", err)
		}
		read.list, changed = f.list.body, changed || listChanged || err != nil
	}
	if !changed {
		return version{}, errUnchanged
	}
	return read, nil
}

// fetch reads the document, and reports whether it is another one than before.
func (d *download) fetch(ctx context.Context, client *http.Client, again bool) (changed bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", d.accept)
	if d.etag != "" && !again {
		request.Header.Set("If-None-Match", d.etag)
	}
	if d.authorize != nil {
		if err := d.authorize(request); err != nil {
			return false, err
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	// One byte more than the document may have, so that its parser refuses what is longer.
	data, err := io.ReadAll(io.LimitReader(response.Body, d.most+1))
	_ = response.Body.Close()
	switch {
	case err != nil:
		return false, err
	case response.StatusCode == http.StatusNotModified && request.Header.Get("If-None-Match") != "":
		return false, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("the answer is %s", response.Status)
	}
	d.etag, d.body = response.Header.Get("ETag"), data
	return true, nil
}

func (f *fetched) frozen() string { return "" }

func (f *fetched) close() { f.client.CloseIdleConnections() }

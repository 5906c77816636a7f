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
	// fetchTimeout limits a request, because tokens with an unknown kid wait for it.
	fetchTimeout = 5 * time.Second
	// pingAfter is the idle time after which an HTTP/2 connection is pinged, and pingTimeout the time limit of the
	// response. With firstRetry they leave one second of the ten that HTTPS promises.
	pingAfter   = 4 * time.Second
	pingTimeout = 2 * time.Second
)

// HTTPS returns a Source for a service outside the cluster: the JWKS endpoint of the issuer (jwks_uri in its
// metadata). It is polled every 30 seconds, with If-None-Match, and for unknown kids at most every 5 seconds. A
// request takes at most 5 seconds, and redirects are not followed. client may be nil; use one for other CA
// certificates than those of the system, or for another proxy than that of the environment.
//
// A dead connection (a failed node, an expired NAT entry, a frozen peer) is closed within 10 seconds: with HTTP/2 by
// pings, with HTTP/1.1 by the request timeout. client is not modified. If its Transport is nil or an *http.Transport,
// a copy with its own connections is used; it pings, unless its HTTP2 has a SendPingTimeout or its TLSNextProto is
// set. Any other RoundTripper, and one configured by golang.org/x/net/http2, is used as it is, and must detect dead
// connections itself (ReadIdleTimeout). Otherwise new keys and revocations may be missed for many minutes.
//
// The endpoint has no revocation list: use WithRevocations to read that of the issuer.
//
// A service that can mount the file should use File instead: it does not depend on the network, and a revoked key
// leaves the file first.
func HTTPS(address string, client *http.Client, options ...HTTPSOption) Source {
	e := endpoint{address: address, client: client}
	for _, option := range options {
		option(&e)
	}
	return e
}

// HTTPSOption is an option of HTTPS.
type HTTPSOption func(*endpoint)

// WithRevocations also reads the revocation list of the issuer from address, such as
// https://issuer.example.com/revoked. The issuer serves it to clients that are configured with revocationList: true.
// The request authenticates as clientID by HTTP Basic (RFC 6749 section 2.3.1). secretFile holds the client secret.
// It is read for each request, and trailing white space is removed.
//
// New returns an error if the list cannot be read. Later, the last valid list stays in use, and KeySetStatus reports
// the failure.
func WithRevocations(address, clientID, secretFile string) HTTPSOption {
	return func(e *endpoint) {
		e.list = clientCredentials{address: address, clientID: clientID, secretFile: secretFile}
	}
}

// endpoint is the Source that HTTPS returns.
type endpoint struct {
	address string
	client  *http.Client
	list    clientCredentials // zero if no revocation list is read
}

// clientCredentials is the address of a revocation list and the credentials for it.
type clientCredentials struct {
	address, clientID, secretFile string
}

func (e endpoint) String() string { return e.address }

func (e endpoint) cacheKey() any { return e }

func (e endpoint) intervals() (poll, unknownKey time.Duration) {
	return 30 * time.Second, 5 * time.Second
}

func (e endpoint) open() (sourceReader, error) {
	if err := checkAddress(e.address); err != nil {
		return nil, err
	}
	client := http.Client{Transport: withPings(&http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true})}
	if e.client != nil {
		client = *e.client
		client.Transport = withPings(client.Transport)
	}
	if client.Timeout <= 0 || client.Timeout > fetchTimeout {
		client.Timeout = fetchTimeout
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	f := &httpsReader{client: client, keys: cachedDocument{address: e.address, accept: "application/jwk-set+json, application/json", maxBytes: maxKeySetBytes}}
	if e.list != (clientCredentials{}) {
		if err := checkAddress(e.list.address); err != nil {
			return nil, fmt.Errorf("revocation list: %w", err)
		}
		if e.list.clientID == "" || e.list.secretFile == "" {
			return nil, errors.New("revocation list: the client ID, or the name of the file with the client secret, is empty")
		}
		f.list = &cachedDocument{address: e.list.address, accept: "application/json", maxBytes: maxRevocationListBytes, authorize: e.list.authorize}
	}
	return f, nil
}

// checkAddress returns an error unless address is an https URL without user info and fragment.
func checkAddress(address string) error {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil || parsed.Fragment != "" {
		return errors.New("not a URL of the form https://host/path: without TLS, anyone on the network could replace the keys")
	}
	return nil
}

// maxSecretBytes limits a client secret.
const maxSecretBytes = 1 << 10

// authorize adds client credentials to a request. ID and secret are form-encoded first (RFC 6749 section 2.3.1).
func (c clientCredentials) authorize(request *http.Request) error {
	secret, err := readFile(c.secretFile, maxSecretBytes)
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(secret), " \t\r\n")
	if text == "" || len(secret) > maxSecretBytes {
		return fmt.Errorf("the client secret is empty, or longer than %d bytes", maxSecretBytes)
	}
	request.SetBasicAuth(url.QueryEscape(c.clientID), url.QueryEscape(text))
	return nil
}

// withPings returns a copy of a Transport that detects dead HTTP/2 connections. It returns the Transport itself if a
// copy might behave differently or would not ping.
func withPings(given http.RoundTripper) http.RoundTripper {
	if given == nil {
		given = http.DefaultTransport
	}
	transport, ok := given.(*http.Transport)
	if !ok {
		return given
	}
	transport = transport.Clone()
	if transport.TLSNextProto != nil { // HTTP/2 is disabled, or implemented by another package
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

// httpsReader reads a JWKS endpoint, and the revocation list if it is configured.
type httpsReader struct {
	client http.Client
	keys   cachedDocument
	list   *cachedDocument // nil if no list is read
}

// cachedDocument is a document of an issuer, with its last content and ETag.
type cachedDocument struct {
	address, accept string
	maxBytes        int64 // bytes
	authorize       func(*http.Request) error
	etag            string // "" if the response had none
	body            []byte
}

func (r *httpsReader) read(ctx context.Context, _ time.Time, force bool) (rawContent, error) {
	changed, err := r.keys.fetch(ctx, &r.client, force)
	if err != nil {
		return rawContent{}, err
	}
	read := rawContent{keySet: r.keys.body}
	if r.list != nil {
		listChanged, err := r.list.fetch(ctx, &r.client, force)
		if err != nil {
			read.listFailure = fmt.Errorf("revocation list: %w", err)
		}
		read.revocationList, changed = r.list.body, changed || listChanged || err != nil
	}
	if !changed {
		return rawContent{}, errUnchanged
	}
	return read, nil
}

// fetch requests the document, and reports whether it was downloaded again.
func (d *cachedDocument) fetch(ctx context.Context, client *http.Client, force bool) (changed bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.address, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("Accept", d.accept)
	if d.etag != "" && !force {
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
	// One byte more than the limit, so that the parser rejects a longer document.
	data, err := io.ReadAll(io.LimitReader(response.Body, d.maxBytes+1))
	_ = response.Body.Close()
	switch {
	case err != nil:
		return false, err
	case response.StatusCode == http.StatusNotModified && request.Header.Get("If-None-Match") != "":
		return false, nil
	case response.StatusCode != http.StatusOK:
		return false, fmt.Errorf("the response status is %s", response.Status)
	}
	d.etag, d.body = response.Header.Get("ETag"), data
	return true, nil
}

func (r *httpsReader) immutableReason() string { return "" }

func (r *httpsReader) close() { r.client.CloseIdleConnections() }

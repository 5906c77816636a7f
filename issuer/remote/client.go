package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// MaxBytes limits the body of a response.
	MaxBytes = 1 << 20
	// maxHeaderBytes limits the header of a response.
	maxHeaderBytes = 64 << 10
	// maxRedirects limits the redirects per request.
	maxRedirects = 3
)

// Client sends requests to one issuer, over HTTPS only.
type Client struct {
	http  *http.Client
	token string
}

// New returns a Client. roots verify the server's certificate; nil means those of the system. The bearer token is
// sent with each request, unless it is "". Redirects are followed only to the same host, and not at all with a token.
func New(roots *x509.CertPool, token string) *Client {
	c := &Client{token: token}
	c.http = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: maxHeaderBytes,
		},
		CheckRedirect: c.redirect,
	}
	return c
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (c *Client) redirect(next *http.Request, via []*http.Request) error {
	switch {
	case c.token != "" || len(via) > maxRedirects || next.URL.Scheme != "https" || next.URL.Host != via[0].URL.Host:
		return http.ErrUseLastResponse
	default:
		return nil
	}
}

// Response is the response of a server.
type Response struct {
	Body []byte
	// NotModified is true if the ETag still matches. Body is empty then.
	NotModified bool
	// ETag is the entity tag of the response, or "".
	ETag string
	// MaxAge is the max-age of the response, zero if there is none (RFC 9111 section 5.2.2.1).
	MaxAge time.Duration
}

// Get requests a document. An ETag of an earlier response makes the request conditional (RFC 9110 section 13.1.2). No
// error quotes the response.
func (c *Client) Get(ctx context.Context, address, etag string) (Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Response{}, err
	}
	if req.URL.Scheme != "https" {
		return Response{}, fmt.Errorf("%s is not an https URL", address)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	response, err := c.http.Do(req)
	if err != nil {
		return Response{}, err
	}
	defer func() { _ = response.Body.Close() }()
	answer := Response{ETag: response.Header.Get("ETag"), MaxAge: maxAge(response.Header)}
	switch {
	case response.StatusCode == http.StatusNotModified && etag != "":
		answer.NotModified = true
		return answer, nil
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return Response{}, fmt.Errorf("%s redirects to another location (%s), which is not followed", address, response.Status)
	case response.StatusCode != http.StatusOK:
		return Response{}, fmt.Errorf("%s responded with %s", address, response.Status)
	}
	answer.Body, err = io.ReadAll(io.LimitReader(response.Body, MaxBytes+1))
	if err == nil && len(answer.Body) > MaxBytes {
		err = fmt.Errorf("the response of %s is longer than %d bytes", address, MaxBytes)
	}
	return answer, err
}

// maxAge parses Cache-Control.
func maxAge(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(header.Get("Cache-Control"), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32); strings.EqualFold(name, "max-age") && err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return 0
}

// JWKSURI returns the jwks_uri of an issuer's metadata (OpenID Connect Discovery section 4).
func (c *Client) JWKSURI(ctx context.Context, issuer string) (string, error) {
	where := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	answer, err := c.Get(ctx, where, "")
	if err != nil {
		return "", err
	}
	var metadata struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(answer.Body, &metadata); err != nil {
		return "", fmt.Errorf("%s: is not JSON", where)
	}
	if metadata.Issuer != issuer {
		return "", fmt.Errorf("%s: %w", where, issuerMismatch(metadata.Issuer))
	}
	if u, err := url.Parse(metadata.JWKS); err != nil || u.Scheme != "https" || u.User != nil { // a password in the URL would be logged
		return "", fmt.Errorf("%s: has no jwks_uri that is an https URL without user information", where)
	}
	return metadata.JWKS, nil
}

// issuerMismatch returns an error with the issuer in the metadata, if that may be quoted.
func issuerMismatch(named string) error {
	if strings.Contains(named, "{tenantid}") {
		return errors.New("has one issuer for all tenants: replace common or organizations in the URL by the ID of your tenant")
	}
	return fmt.Errorf("names another issuer, %.256q", named)
}

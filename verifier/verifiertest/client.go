package verifiertest

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/verifier/dpop"
)

// Client is a client with a key that tokens can be bound to. It creates DPoP proofs (RFC 9449).
type Client struct {
	// Now is the clock for its proofs, by default time.Now.
	Now func() time.Time

	tb  testing.TB
	key keyPair
}

// NewClient returns a Client with a new ES256 key. It and the methods of the Client fail the test on errors.
func NewClient(tb testing.TB) *Client {
	tb.Helper()
	return &Client{Now: systemClock(), tb: tb, key: newKeyPair(tb)}
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of the key in base64url.
func (c *Client) Thumbprint() string {
	c.tb.Helper()
	public := c.key.private.Public()
	sum, err := public.Thumbprint(crypto.SHA256)
	fatal(c.tb, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Proof returns a new proof for a request with an access token, or without one if token is "".
func (c *Client) Proof(method, url, token string) string {
	c.tb.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": c.Now().Unix()}
	if token != "" {
		claims["ath"] = dpop.AccessTokenHash(token)
	}
	return c.key.sign(c.tb, "dpop+jwt", true, claims)
}

// Authorize sets the token and a new proof in the header of a request. A URL without a host is resolved against
// Audience, as by the Verifier of an Issuer.
func (c *Client) Authorize(r *http.Request, token string) {
	c.tb.Helper()
	target := *r.URL
	target.RawQuery, target.Fragment = "", "" // RFC 9449 section 4.2
	url := target.String()
	if strings.HasPrefix(url, "/") {
		url = Audience + url
	}
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set(dpop.Header, c.Proof(r.Method, url, token))
}

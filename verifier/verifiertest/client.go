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

// Client holds a key that tokens are bound to, and proves it (RFC 9449).
type Client struct {
	// Now is the clock of its proofs, that of the system at first.
	Now func() time.Time

	tb  testing.TB
	key keyPair
}

// NewClient makes a Client with an ES256 key of its own. What fails here and in its methods ends the test.
func NewClient(tb testing.TB) *Client {
	tb.Helper()
	return &Client{Now: systemClock(), tb: tb, key: newKeyPair(tb)}
}

// Thumbprint is the RFC 7638 SHA-256 thumbprint of the key, base64url.
func (c *Client) Thumbprint() string {
	c.tb.Helper()
	public := c.key.private.Public()
	sum, err := public.Thumbprint(crypto.SHA256)
	fatal(c.tb, err)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Proof makes a new proof for a request with an access token, or for one without if that is "".
func (c *Client) Proof(method, url, token string) string {
	c.tb.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": c.Now().Unix()}
	if token != "" {
		claims["ath"] = dpop.AccessTokenHash(token)
	}
	return c.key.sign(c.tb, "dpop+jwt", true, claims)
}

// Authorize puts a token and a new proof into the header of a request. A URL without a host is one of Audience, as for the Verifier
// of an Issuer.
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

package server_test

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Each of these would be refused for another reason, or not at all, if its check were not there: the reason tells.
func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	contentType := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Content-Type", value) }
	}
	basic := func(credentials string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
		}
	}
	login := func(name, password string) string {
		return form("grant_type", "password", "client_id", "web", "username", name, "password", password)
	}
	parameters := func(n int) string { // beside the four of alice
		all := alice()
		for i := range n {
			all += fmt.Sprintf("&p%d=x", i)
		}
		return all
	}
	batch := form("grant_type", "client_credentials")
	none := func(*http.Request) {}
	const (
		ok     = http.StatusOK
		bad    = http.StatusBadRequest
		noForm = "the body must be application/x-www-form-urlencoded"
		coded  = "client_id or secret in the Authorization header is empty or not form-encoded"
		long   = "username or password is too long"
	)
	for name, c := range map[string]struct {
		form   string
		edit   func(*http.Request)
		status int
		reason string
	}{
		"a form as JSON":               {alice(), contentType("application/json"), bad, noForm},
		"a form without a type":        {alice(), func(r *http.Request) { r.Header.Del("Content-Type") }, bad, noForm},
		"a form of another type":       {alice(), contentType("multipart/form-data; boundary=x"), bad, noForm},
		"a type that cannot be read":   {alice(), contentType("application/x-www-form-urlencoded; charset"), bad, noForm},
		"a form with a charset":        {alice(), contentType("Application/X-WWW-Form-URLEncoded; charset=UTF-8"), ok, ""},
		"as many parameters as can be": {parameters(28), none, ok, ""},
		"one more":                     {parameters(29), none, bad, "there are too many parameters"},
		"an ID that is not encoded":    {batch, basic("%zz:" + secret), http.StatusUnauthorized, coded},
		"a secret that is not encoded": {batch, basic("batch:%zz"), http.StatusUnauthorized, coded},
		"an ID that is no text":        {batch, basic("%ff:" + secret), http.StatusUnauthorized, coded},
		"an empty ID":                  {batch + "&client_id=batch", basic(":" + secret), http.StatusUnauthorized, coded},
		"the longest name":             {login(strings.Repeat("x", 256), "x"), none, bad, "unknown user"},
		"a longer name":                {login(strings.Repeat("x", 257), "x"), none, bad, long},
		"the longest password":         {login("alice", strings.Repeat("x", 1024)), none, bad, "wrong password"},
		"a longer password":            {login("alice", strings.Repeat("x", 1025)), none, bad, long},
	} {
		t.Run(name, func(t *testing.T) {
			if r, reason := w.decided(c.form, c.edit); r.status != c.status || reason != c.reason {
				t.Errorf("%d %s, because %q", r.status, r.body, reason)
			}
		})
	}
}

// A form that came in part is not taken for all of it.
func TestBodyThatBreaksOffIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, rest := range map[string]string{
		"shorter than it says":   fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(alice())+10, alice()),
		"with a broken chunk":    fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nzz\r\n", len(alice()), alice()),
		"without the last chunk": fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(alice()), alice()),
	} {
		t.Run(name, func(t *testing.T) {
			c := w.dial()
			before := len(w.audit.String())
			_, err := io.WriteString(c, tokenHeaders+rest)
			w.must(err)
			w.must(c.CloseWrite())
			answer, _ := io.ReadAll(c)
			if !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || strings.Contains(string(answer), "access_token") {
				t.Errorf("it is answered with %s", answer)
			}
			if reason := w.reasonAfter(before); reason != "the body could not be read" {
				t.Errorf("because %q", reason)
			}
		})
	}
}

// tokenHeaders begin a token request of HTTP/1.1.
const tokenHeaders = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

// dial returns a connection to the issuer, for what no HTTP client would send.
func (w *world) dial() *tls.Conn {
	w.Helper()
	trust := w.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.NextProtos = nil
	c, err := tls.Dial("tcp", strings.TrimPrefix(w.base, "https://"), trust)
	w.must(err)
	w.Cleanup(func() { _ = c.Close() })
	return c
}

package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Client secrets cannot be guessed as fast as the network allows (RFC 6749 section 2.3.1), and who guesses locks the client out nowhere else.
func TestGuessedClientSecretsAreLimited(t *testing.T) {
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  trustedProxies: [127.0.0.0/8]", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	from := func(address string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Forwarded-For", address) }
	}
	guess := func(secret, address string) reply {
		return w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret), from(address))
	}
	got := map[int]int{}
	for i := range 100 {
		got[guess(fmt.Sprint("guess", i), "192.0.2.1").status]++
	}
	if got[http.StatusUnauthorized] > 10 || got[http.StatusTooManyRequests] < 90 {
		t.Errorf("100 guesses: %v", got)
	}
	if r := guess(secret, "192.0.2.1"); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("the right secret from where it was guessed: %d %v", r.status, r.header)
	}
	if r := guess(secret, "192.0.2.2"); r.status != http.StatusOK {
		t.Errorf("the right secret from elsewhere: %d %s", r.status, r.body)
	}
	if r := w.post(alice(), from("192.0.2.1")); r.status != http.StatusOK {
		t.Errorf("a login from there: %d %s", r.status, r.body)
	}
}

package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever breaks logins off makes us hash all the same: they count as failed.
func TestAbortedLoginsCount(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + "login: {failuresPerUser: {burst: 3, every: 1h}}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	w.client.Transport.(*http.Transport).DisableKeepAlives = false
	const goneAway = `"reason":"the client disconnected before the response"`
	wait := 4 * time.Millisecond // how long a login must wait to be on its way, and not answered, depends on the machine
	w.until("broken off three times", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		if wait = wait * 5 / 4; wait > time.Second {
			wait = 4 * time.Millisecond
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/token", strings.NewReader(alice()))
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r, err := w.client.Do(req); err == nil {
			_ = r.Body.Close()
		}
		return strings.Count(w.audit.String(), goneAway) >= 3
	})
	if r := w.post(alice()); r.status != http.StatusTooManyRequests {
		t.Errorf("after three: %d %s", r.status, r.body)
	}
}

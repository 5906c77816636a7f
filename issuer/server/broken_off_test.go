package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whoever breaks logins off makes us hash all the same: they count as failed.
func TestLoginsThatAreBrokenOffCount(t *testing.T) {
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + "login: {failuresPerUser: {burst: 3, every: 1h}}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	// How long a login must wait to be on its way, and not answered, depends on the machine.
	wait := 8 * time.Millisecond
	w.until("slowed down", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if wait = wait * 5 / 4; wait > time.Second {
			wait = 8 * time.Millisecond
		}
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.base+"/token", strings.NewReader(alice()))
		w.must(err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if r, err := w.client.Do(req); err == nil {
			_ = r.Body.Close()
		}
		return w.post(alice()).status == http.StatusTooManyRequests
	})
	if !strings.Contains(w.audit.String(), `"reason":"the client went away before the answer"`) {
		t.Error("the audit log does not say it")
	}
}

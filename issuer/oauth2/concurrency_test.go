package oauth2

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
)

// full has no place for a body, or for an answer.
type full struct{ read, answer bool }

func (f full) AcquireRead(*http.Request, netip.Addr) (leave func(), ok bool) {
	return func() {}, !f.read
}

func (f full) AcquireGrant(string, netip.Addr) (leave func(), ok bool) {
	return func() {}, !f.answer
}

// A client that finds no place is told to come again, and is not authenticated.
func TestWithoutAPlace(t *testing.T) {
	for name, places := range map[string]full{"to be read": {read: true}, "to be answered": {answer: true}} {
		audit := &strings.Builder{}
		counted := ""
		e := New(Options{
			Now: fixed, Audit: audit, Places: places, Config: func() (*config.Config, bool) { return &config.Config{}, true },
			Remote:          func(*http.Request, *config.Server) netip.Addr { return netip.MustParseAddr("192.0.2.1") },
			ObserveResponse: func(_, result string, _ time.Duration) { counted = result },
		}, config.Login{})
		r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type=client_credentials&client_id=batch"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || counted != "temporarily_unavailable" {
			t.Errorf("no place %s: %d, Retry-After %q, counted as %s", name, w.Code, w.Header().Get("Retry-After"), counted)
		}
		if line := audit.String(); !strings.Contains(line, "too many requests at once") || !strings.Contains(line, "192.0.2.1") {
			t.Errorf("no place %s: the audit log says %s", name, line)
		}
	}
}

func fixed() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

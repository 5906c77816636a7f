package interop

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/keywright/keywright/hack/interop/rotated"
	"github.com/keywright/keywright/verifier"
)

// After Close no goroutine of a Verifier is left, of a file or of an endpoint. goleak is here and not in verifier, whose
// go.mod is a part of what its users take in.
func TestCloseStopsAllGoroutines(t *testing.T) {
	w := rotated.New(t, "ES256")
	server := httptest.NewTLSServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) { _, _ = out.Write(w.JWKS()) }))
	defer server.Close()
	before := goleak.IgnoreCurrent()
	for range 3 {
		v, err := verifier.New(verifier.Config{
			Issuers: map[string]verifier.Source{
				rotated.Issuer: verifier.File(w.Volume.File()), "https://other.example.com": verifier.HTTPS(server.URL, server.Client()),
			},
			Audience: rotated.Audience, Logger: slog.New(slog.DiscardHandler),
		})
		check(t, err)
		if _, err := v.Verify(t.Context(), w.Token()); err != nil {
			t.Error(err)
		}
		if _, err := v.Verify(t.Context(), w.Forged()); err == nil {
			t.Error("accepted a forged token")
		}
		v.Close()
	}
	server.CloseClientConnections() // the server's side of what Close let go of
	goleak.VerifyNone(t, before)
}

package traffic

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The error of a login that times out says what it waited for.
func TestErrorNamesTheLastEvent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // it accepts connections, and sends nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	client := &http.Client{Timeout: 100 * time.Millisecond}
	for scheme, want := range map[string]string{"http": "after a new connection", "https": "after the start of the TLS handshake"} {
		_, err := LogIn(t.Context(), client, scheme+"://"+silent.Addr().String(), User{})
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", scheme, err, want)
		}
	}
}

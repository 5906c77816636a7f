package traffic

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// While nobody answers, a login is tried again for as long as there is patience. An answer that refuses is final.
func TestPatience(t *testing.T) {
	var asked atomic.Int32
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(`{"error":"temporarily_unavailable"}`))
	}))
	defer refuses.Close()
	answers := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"access_token":"a.b.c","expires_in":60}`))
	}))
	defer answers.Close()
	address := answers.Listener.Addr().String()
	_ = answers.Listener.Close()
	for _, c := range []struct {
		name     string
		issuer   string
		patience time.Duration
		refused  int
	}{
		{"an answer that refuses", refuses.URL, time.Minute, 1},
		{"nobody, and no patience", "http://" + address, 0, 1},
		{"nobody, and a little of it", "http://" + address, 300 * time.Millisecond, 1},
		{"somebody, after a short time", "http://" + address, time.Minute, 0},
	} {
		l := &Load{HTTP: http.DefaultClient, Issuers: []string{c.issuer}, Ledger: NewLedger(0), Patience: c.patience}
		if c.refused == 0 {
			time.AfterFunc(300*time.Millisecond, func() {
				listener, err := net.Listen("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				answers.Listener = listener
				answers.Start()
			})
		}
		l.logIn(t.Context(), 0)
		if tally, problems := l.Ledger.Snapshot(); tally.RefusedLogins != c.refused || tally.Issued != 1-c.refused {
			t.Errorf("%s: %+v, %v", c.name, tally, problems)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the issuer that refuses was asked %d times", n)
	}
}

// A connection that is refused for a moment is nobody's answer; a service that stays away is a broken promise.
func TestCallIsMadeAgain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	for name, c := range map[string]struct {
		patience time.Duration
		back     bool
		want     Tally
	}{
		"back in a moment": {time.Second, true, Tally{Verified: 1}},
		"not back":         {time.Second, false, Tally{Unreachable: 1}},
		"no patience":      {0, true, Tally{Unreachable: 1}},
	} {
		load := &Load{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Services: []string{"http://" + address}, Ledger: NewLedger(0), Patience: c.patience}
		load.Ledger.given(Token{Compact: "a.b.c", KeyID: "k", Expiry: time.Now().Add(time.Hour)})
		back := make(chan net.Listener, 1)
		time.AfterFunc(500*time.Millisecond, func() {
			defer close(back)
			if !c.back {
				return
			}
			if again, err := net.Listen("tcp", address); err == nil {
				go func() { _ = http.Serve(again, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})) }()
				back <- again
			}
		})
		load.call(t.Context(), 1)
		got, _ := load.Ledger.Snapshot()
		if (got.CalledAgain > 0) != (c.patience > 0) || got.Verified != c.want.Verified || got.Unreachable != c.want.Unreachable {
			t.Errorf("%s: %+v", name, got)
		}
		if again := <-back; again != nil {
			_ = again.Close()
		}
	}
}

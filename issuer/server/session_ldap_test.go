package server_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// A directory that is away ends no session: it goes on when the directory is back.
func TestSessionsContinueWithoutTheDirectory(t *testing.T) {
	t.Parallel()
	s := prepareSessions(t)
	directory := newSlapd(s.world)
	line := newLine(t, strings.TrimPrefix(directory.url, "ldaps://"))
	directory.url = "ldaps://" + line.address
	directory.use(s.world, s.config()+sessionsConfig(), "employeeNumber")
	s.mount()
	var token string
	s.until("a session", func() bool {
		token = refreshToken(s.post(form("grant_type", "password", "client_id", "backend", "client_secret", secret, "username", "carol", "password", ldapPassword)))
		return token != ""
	})
	s.want("the directory is there", s.refreshWith("backend", token), http.StatusOK, "")
	line.cut()
	r := s.refreshWith("backend", token)
	if s.want("the directory is away", r, http.StatusServiceUnavailable, "temporarily_unavailable"); r.header.Get("Retry-After") == "" {
		t.Error("nobody says when to come again")
	}
	line.open.Store(true)
	s.want("the directory is back", s.refreshWith("backend", token), http.StatusOK, "")
}

// line connects to a server, unless it is cut.
type line struct {
	address string
	open    atomic.Bool
	cut     func()
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	connected := make(chan net.Conn, 100)
	l := &line{address: listener.Addr().String()}
	l.open.Store(true)
	l.cut = func() {
		l.open.Store(false)
		for {
			select {
			case c := <-connected:
				_ = c.Close()
			default:
				return
			}
		}
	}
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil || !l.open.Load() {
				_ = near.Close()
				continue
			}
			connected <- near
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
		}
	}()
	return l
}

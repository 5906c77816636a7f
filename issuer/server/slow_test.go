package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// Clients that are slow on purpose are cut off: headers after 5 s, bodies after 10 s. These tests wait for that together.
func TestSlowHeadersAreCutOff(t *testing.T) {
	w := newSlow(t)
	if answer := w.trickle(w.dial(), "POST /token HTTP/1.1\r\nHost: x\r\nX: ", muchLater); answer != "" && !strings.Contains(answer, " 408 ") {
		t.Errorf("it is answered with %s", answer)
	}
}

func TestSlowBodiesAreCutOff(t *testing.T) {
	w := newSlow(t)
	answer := w.trickle(w.dial(), tokenHeaders+"Content-Length: 1000\r\n\r\n"+alice()+"&x=", muchLater)
	if !strings.HasPrefix(answer, "HTTP/1.1 400 ") || !strings.Contains(answer, "Connection: close") {
		t.Errorf("it is answered with %s", answer)
	}
	if reason := w.reasonAfter(0); reason != "the body could not be read" {
		t.Errorf("because %q", reason)
	}
}

func TestSlowBodiesOfHTTP2AreCutOff(t *testing.T) {
	w := newSlow(t)
	w.useHTTP2()
	body, feed := io.Pipe()
	done := make(chan struct{})
	defer close(done)
	go drip(feed, done)
	began := time.Now()
	r := w.post("", func(r *http.Request) { r.Body, r.ContentLength, r.GetBody = body, -1, nil })
	if r.status != http.StatusBadRequest || r.proto != "HTTP/2.0" || time.Since(began) > muchLater {
		t.Errorf("after %v it is answered with %s %d %s", time.Since(began), r.proto, r.status, r.body)
	}
	if reason := w.reasonAfter(0); reason != "the body could not be read" {
		t.Errorf("because %q", reason)
	}
}

// muchLater is when a slow client must have been cut off for certain, on a busy machine too.
const muchLater = 40 * time.Second

func newSlow(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("slow clients are cut off after 5 s and 10 s, which -short leaves out")
	}
	t.Parallel()
	return newWorld(t)
}

// trickle sends a byte after the other behind a beginning, until the issuer closes the connection, and returns the answer.
func (w *world) trickle(c *tls.Conn, beginning string, within time.Duration) string {
	w.Helper()
	w.must(c.SetDeadline(time.Now().Add(within)))
	_, err := io.WriteString(c, beginning)
	w.must(err)
	closed := make(chan struct{})
	defer close(closed)
	go drip(c, closed)
	answer, err := io.ReadAll(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Errorf("it is not cut off within %v", within)
	}
	return string(answer)
}

// drip writes a byte now and then, until that fails or it is told to end.
func drip(to io.Writer, end <-chan struct{}) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-end:
			return
		case <-ticker.C:
			if _, err := io.WriteString(to, "x"); err != nil {
				return
			}
		}
	}
}

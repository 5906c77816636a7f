package server

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func guarded(t *testing.T, guard func(*Server, http.Handler) http.Handler, handler http.HandlerFunc) (client *http.Client, url string, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	s := &Server{metrics: newMetrics(), log: slog.New(slog.NewTextHandler(log, nil))}
	server := httptest.NewUnstartedServer(guard(s, handler))
	server.Config = newHTTPServer(server.Config.Handler, s.log)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Client(), server.URL, log
}

// One connection cannot have all of them: the server says how many streams it takes (SETTINGS_MAX_CONCURRENT_STREAMS).
func TestStreamsOfAConnectionAreBounded(t *testing.T) {
	_, url, _ := guarded(t, (*Server).withRecovery, func(http.ResponseWriter, *http.Request) {})
	c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"); err != nil {
		t.Fatal(err)
	}
	frame := make([]byte, 9)
	if _, err := io.ReadFull(c, frame); err != nil || frame[3] != 4 {
		t.Fatalf("% x is no SETTINGS frame: %v", frame, err)
	}
	settings := make([]byte, int(frame[1])<<8|int(frame[2]))
	if _, err := io.ReadFull(c, settings); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(settings, []byte{0, 3, 0, 0, 0, maxStreams}) {
		t.Errorf("settings % x", settings)
	}
}

// A mistake of ours is reported, and quotes nothing that a client may have sent.
func TestPanicsAreReported(t *testing.T) {
	for _, c := range []struct {
		panics func()
		says   string
	}{
		{func() { panic("canary") }, "panic=string"},
		{func() { _ = []int{}[len("canary")] }, "index out of range"},
	} {
		client, url, log := guarded(t, (*Server).withRecovery, func(http.ResponseWriter, *http.Request) { c.panics() })
		r, err := client.Get(url)
		if err != nil || r.StatusCode != http.StatusInternalServerError {
			t.Errorf("%v %v", r, err)
		}
		if text := log.String(); !strings.Contains(text, c.says) || !strings.Contains(text, "guard_test.go") || strings.Contains(text, "canary") {
			t.Error(text)
		}
	}
}

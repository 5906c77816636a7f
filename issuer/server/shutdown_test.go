package server_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A connection that is still being made when the issuer stops does not hold it up.
func TestConnectionMadeWhileStopping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address := strings.TrimPrefix(w.base, "https://")
	early, err := net.Dial("tcp", address)
	w.must(err)
	defer func() { _ = early.Close() }()
	w.get(w.base + "/jwks") // it was accepted later than the other
	began := time.Now()
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.until("closed to others", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	trust := w.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.NextProtos, trust.ServerName = []string{"h2"}, "127.0.0.1"
	c := tls.Client(early, trust)
	w.must(c.HandshakeContext(t.Context()))
	_, err = io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	w.must(err)
	go func() { _, _ = io.Copy(io.Discard, c) }()
	w.must(<-stopped)
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it stopped after %v", took)
	}
}

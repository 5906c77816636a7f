package server_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

// behind sends a login through a connection that begins with some bytes, and returns the status of the answer.
func (w *world) behind(first []byte, header ...string) (int, error) {
	w.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.base, "https://"))
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(first); err != nil {
		w.Fatal(err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	body := form("grant_type", "password", "client_id", "web", "username", "alice", "password", "wrong")
	request := fmt.Sprintf("POST /token HTTP/1.1\r\nHost: issuer\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n%s\r\n%s",
		len(body), strings.Join(append(header, ""), "\r\n"), body)
	if _, err := io.WriteString(secure, request); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func proxyHeader(t *testing.T, version byte, source net.Addr) []byte {
	t.Helper()
	b, err := proxyproto.HeaderProxyFromAddrs(version, source, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}).Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// unixHeader names a client that has no network.
func unixHeader(t *testing.T) []byte {
	t.Helper()
	socket := &net.UnixAddr{Net: "unix", Name: "/run/socket"}
	b, err := (&proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.UnixStream, SourceAddr: socket, DestinationAddr: socket}).Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A trusted proxy that passes TLS through says who connects. Nobody else does, and the setting is followed.
func TestProxyProtocol(t *testing.T) {
	w := prepare(t)
	serve := func(settings string) {
		w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  "+settings, 1)})
	}
	serve("trustedProxies: [127.0.0.0/8]\n  proxyProtocol: true")
	w.useKey("ES256", newKey(t))
	w.start()
	client := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 4711}
	client6 := &net.TCPAddr{IP: net.ParseIP("2001:db8::9"), Port: 4711}
	for _, c := range []struct {
		name    string
		first   []byte
		header  []string
		address string
	}{
		{name: "version 1", first: proxyHeader(t, 1, client), address: "203.0.113.9"},
		{name: "version 2", first: proxyHeader(t, 2, client), address: "203.0.113.9"},
		{name: "IPv6", first: proxyHeader(t, 2, client6), address: "2001:db8::9"},
		{name: "none", address: "127.0.0.1"},
		{name: "unknown", first: []byte("PROXY UNKNOWN\r\n"), address: "127.0.0.1"},
		{name: "the client says that it is another", first: proxyHeader(t, 2, client), header: []string{"X-Forwarded-For: 198.51.100.1"}, address: "203.0.113.9"},
	} {
		before := len(w.audit.String())
		status, err := w.behind(c.first, c.header...)
		if err != nil || status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", c.name, status, err)
		}
		if last := w.audit.String()[before:]; !strings.Contains(last, `"`+c.address+`"`) {
			t.Errorf("%s: want the address %s: %s", c.name, c.address, last)
		}
	}
	for name, first := range map[string][]byte{
		"a Unix socket": unixHeader(t), "half a header": []byte("PROXY TCP4 203.0.113.9\r\n"),
	} {
		if status, err := w.behind(first); err == nil {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, settings := range []string{"trustedProxies: [192.0.2.0/24]\n  proxyProtocol: true", "trustedProxies: [127.0.0.0/8]"} {
		serve(settings)
		w.until("the header is not read: "+settings, func() bool {
			_, err := w.behind(proxyHeader(t, 2, client))
			return err != nil
		})
		if status, err := w.behind(nil); err != nil || status != http.StatusBadRequest {
			t.Errorf("%s: %d %v", settings, status, err)
		}
	}
}

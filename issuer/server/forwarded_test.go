package server

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// Each form that proxies write is the address of the client, and what is none is the proxy, and is reported.
func TestForwardedAddresses(t *testing.T) {
	trusted := []config.Network{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}
	for _, c := range []struct {
		header, value, want string
		unreadable          bool
	}{
		{value: "203.0.113.9", want: "203.0.113.9"},
		{value: "203.0.113.9:4711", want: "203.0.113.9"}, // Azure Application Gateway, IIS ARR
		{value: "[2001:db8::1]:443", want: "2001:db8::1"},
		{value: "[2001:db8::1]", want: "2001:db8::1"},
		{value: "2001:db8::1", want: "2001:db8::1"},
		{value: "::ffff:203.0.113.9", want: "203.0.113.9"},
		{value: "198.51.100.1, 203.0.113.9, 10.0.0.7", want: "203.0.113.9"},
		{value: "unknown", want: "10.0.0.1", unreadable: true},
		{value: "203.0.113.9, _hidden", want: "10.0.0.1", unreadable: true},
		{value: "", want: "10.0.0.1", unreadable: true},
		{header: config.Forwarded, value: "for=203.0.113.9;proto=https", want: "203.0.113.9"},
		{header: config.Forwarded, value: `proto=https;For="[2001:db8::1]:443"`, want: "2001:db8::1"},
		{header: config.Forwarded, value: `for=198.51.100.1, for="203.0.113.9:80"; by="a,b;c"`, want: "203.0.113.9"},
		{header: config.Forwarded, value: "for=_hidden", want: "10.0.0.1", unreadable: true},
		{header: config.Forwarded, value: "by=10.0.0.1", want: "10.0.0.1", unreadable: true},
	} {
		name := config.XForwardedFor
		if c.header != "" {
			name = c.header
		}
		r := &http.Request{RemoteAddr: "10.0.0.1:5000", Header: http.Header{}}
		r.Header.Set(name, c.value)
		other := map[string]string{config.XForwardedFor: config.Forwarded, config.Forwarded: config.XForwardedFor}[name]
		r.Header.Set(other, "192.0.2.66") // what a client wrote, and the proxy passed on
		got, understood := parseClientAddress(r, &config.Server{TrustedProxies: trusted, ForwardedHeader: name})
		if got.String() != c.want || understood == c.unreadable {
			t.Errorf("%s: %s is of %s, understood %v", name, c.value, got, understood)
		}
	}
	r := &http.Request{RemoteAddr: "192.0.2.1:5000", Header: http.Header{"X-Forwarded-For": {"203.0.113.9"}}}
	if got, _ := parseClientAddress(r, &config.Server{TrustedProxies: trusted, ForwardedHeader: config.XForwardedFor}); got.String() != "192.0.2.1" {
		t.Errorf("a stranger says that it is %s", got)
	}
	r = &http.Request{RemoteAddr: "10.0.0.1:5000", Header: http.Header{}}
	if got, understood := parseClientAddress(r, &config.Server{TrustedProxies: trusted, ForwardedHeader: config.XForwardedFor}); got.String() != "10.0.0.1" || !understood {
		t.Errorf("without the header: %s %v", got, understood)
	}
}

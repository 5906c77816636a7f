package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/keywright/keywright/issuer/config"
)

// remote is who sent a request. What a trusted proxy says and nobody understands is counted, and logged once.
func (s *Server) remote(r *http.Request, settings *config.Server) netip.Addr {
	address, understood := remoteAddress(r, settings)
	if !understood {
		s.metrics.unreadable.Inc()
		s.unreadable.Do(func() {
			s.log.Error("A trusted proxy sends a request without a readable client address: its failed logins count for the proxy. Check server.forwardedHeader", "proxy", address.String(),
				"header", settings.ForwardedHeader)
		})
	}
	return address
}

// remoteAddress is who sent a request: the peer, or what the proxies that are trusted say, read from the right. An address
// further left could have been written by anybody. It reports false if a trusted proxy says what is no address: then the address is
// that of the proxy.
func remoteAddress(r *http.Request, settings *config.Server) (address netip.Addr, understood bool) {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // net/http wrote it
	address = peer.Addr().Unmap()
	if len(settings.TrustedProxies) == 0 {
		return address, true
	}
	for _, hop := range slices.Backward(hops(r.Header, settings.ForwardedHeader)) {
		if !settings.Trusts(address) {
			return address, true
		}
		next, ok := parseHop(hop)
		if !ok {
			return address, false
		}
		address = next
	}
	return address, true
}

// hops are what proxies wrote into the one header that is believed. A client can send the other one too, and a proxy would pass it on.
func hops(header http.Header, name string) []string {
	values := header.Values(name)
	if len(values) == 0 {
		return nil
	}
	all := strings.Join(values, ",")
	if name != config.Forwarded {
		return strings.Split(all, ",")
	}
	var out []string
	for _, element := range splitQuoted(all, ',') {
		hop := ""
		for _, pair := range splitQuoted(element, ';') {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.EqualFold(name, "for") {
				hop = strings.Trim(value, `"`)
			}
		}
		out = append(out, hop)
	}
	return out
}

// splitQuoted splits a header at separators that are not within quotes.
func splitQuoted(text string, separator rune) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == separator && !quoted
	})
}

// parseHop reads an address, with or without brackets and a port, as X-Forwarded-For of several products and Forwarded (RFC 7239 section 6)
// have it.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if with, err := netip.ParseAddrPort(hop); err == nil {
		return with.Addr().Unmap().WithZone(""), true
	}
	if strings.HasPrefix(hop, "[") && strings.HasSuffix(hop, "]") {
		hop = hop[1 : len(hop)-1]
	}
	address, err := netip.ParseAddr(hop)
	return address.Unmap().WithZone(""), err == nil
}

package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/keywright/keywright/issuer/config"
)

// clientAddress returns the address of the client. If a trusted proxy sends an invalid address, it counts that, and
// logs it once.
func (s *Server) clientAddress(r *http.Request, settings *config.Server) netip.Addr {
	address, understood := parseClientAddress(r, settings)
	if !understood {
		s.metrics.unreadable.Inc()
		s.warnInvalidAddress.Do(func() {
			s.log.Error("A trusted proxy sent a request without a valid client address: failed logins are counted for the proxy. Check server.forwardedHeader", "proxy", address.String(),
				"header", settings.ForwardedHeader)
		})
	}
	return address
}

// parseClientAddress returns the address of the peer, or the rightmost address in the header that is not a trusted
// proxy, because clients can forge all addresses before it. If a trusted proxy sends an invalid address, it returns
// that of the proxy and false.
func parseClientAddress(r *http.Request, settings *config.Server) (address netip.Addr, understood bool) {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // set by net/http
	address = peer.Addr().Unmap()
	if len(settings.TrustedProxies) == 0 {
		return address, true
	}
	for _, hop := range slices.Backward(forwardedAddresses(r.Header, settings.ForwardedHeader)) {
		if !settings.IsTrustedProxy(address) {
			return address, true
		}
		next, ok := parseForwardedAddress(hop)
		if !ok {
			return address, false
		}
		address = next
	}
	return address, true
}

// forwardedAddresses returns the addresses in the trusted header. Others are ignored, because a proxy may pass them
// on from the client.
func forwardedAddresses(header http.Header, name string) []string {
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

// splitQuoted splits a header at separators outside of quotes.
func splitQuoted(text string, separator rune) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == separator && !quoted
	})
}

// parseForwardedAddress parses an address with optional brackets and port, as in X-Forwarded-For of several products
// and Forwarded (RFC 7239 section 6).
func parseForwardedAddress(hop string) (netip.Addr, bool) {
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

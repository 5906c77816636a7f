package server

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// withProxyProtocol reads the header of the PROXY protocol, versions 1 and 2, on connections of trusted proxies if
// server.proxyProtocol is set, and uses its client address. The header is optional. On other connections it is not
// read, and fails the TLS handshake.
func (s *Server) withProxyProtocol(listener net.Listener) net.Listener {
	return &proxyproto.Listener{
		Listener: listener, ReadHeaderTimeout: 5 * time.Second, ValidateHeader: requireTCP,
		ConnPolicy: func(c proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			settings, _ := s.config.Get()
			peer, err := netip.ParseAddrPort(c.Upstream.String())
			if err == nil && settings.Server.ProxyProtocol && settings.Server.IsTrustedProxy(peer.Addr()) {
				return proxyproto.USE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

var errNotTCP = errors.New("the PROXY header does not have the address of a TCP client")

// requireTCP rejects a header without an IP address, such as that of a Unix socket, because failures are counted per
// address.
func requireTCP(h *proxyproto.Header) error {
	if _, ok := h.SourceAddr.(*net.TCPAddr); h.Command.IsProxy() && !ok {
		return errNotTCP
	}
	return nil
}

package server

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxied reads the header of the PROXY protocol, versions 1 and 2, from connections of trusted proxies if server.proxyProtocol is set, and takes the
// client's address from it. A trusted proxy may leave the header out. From anybody else it is not read, and what begins with one is no TLS.
func (s *Server) proxied(listener net.Listener) net.Listener {
	return &proxyproto.Listener{
		Listener: listener, ReadHeaderTimeout: 5 * time.Second, ValidateHeader: ofTCP,
		ConnPolicy: func(c proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			settings, _ := s.config.Get()
			peer, err := netip.ParseAddrPort(c.Upstream.String())
			if err == nil && settings.Server.ProxyProtocol && settings.Server.Trusts(peer.Addr()) {
				return proxyproto.USE, nil
			}
			return proxyproto.SKIP, nil
		},
	}
}

var errNotTCP = errors.New("the PROXY header names no TCP client")

// ofTCP refuses a header with an address by which no failures can be counted, such as that of a Unix socket.
func ofTCP(h *proxyproto.Header) error {
	if _, ok := h.SourceAddr.(*net.TCPAddr); h.Command.IsProxy() && !ok {
		return errNotTCP
	}
	return nil
}

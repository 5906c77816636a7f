package server

import (
	"net/http"
	"net/netip"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// The token requests at a time: those whose body is being read, logins, and all others. Each holds some 80 KB until it is answered, and
// none takes a place of another kind: neither a directory that stalls nor a client that sends slowly keeps the others from being answered.
// The public documents need no place, since they are answered from memory.
const (
	maxReading = 640
	maxLogins  = 256
	maxOthers  = 256
)

// The share that one connection has of the bodies that are read, and that one network has of each kind. Over HTTP/2 a connection carries
// many requests.
const (
	maxReadingPerConnection = 16
	maxReadingPerNetwork    = maxReading / 2
	maxLoginsPerNetwork     = maxLogins / 2
)

// places are those of the token requests.
type places struct {
	connections             *ratelimit.Semaphore[string]
	reading, logins, others *ratelimit.Semaphore[netip.Prefix]
}

func newPlaces() *places {
	return &places{
		connections: ratelimit.NewSemaphore[string](maxReading, maxReadingPerConnection),
		reading:     ratelimit.NewSemaphore[netip.Prefix](maxReading, maxReadingPerNetwork),
		logins:      ratelimit.NewSemaphore[netip.Prefix](maxLogins, maxLoginsPerNetwork),
		others:      ratelimit.NewSemaphore[netip.Prefix](maxOthers, maxOthers),
	}
}

// Read takes the places of a body that is read: of its connection and of its network.
func (p *places) Read(r *http.Request, remote netip.Addr) (leave func(), ok bool) {
	leaveConnection, ok := p.connections.Acquire(r.RemoteAddr)
	if !ok {
		return nil, false
	}
	leaveNetwork, ok := p.reading.Acquire(ratelimit.NetworkOf(remote))
	if !ok {
		leaveConnection()
		return nil, false
	}
	return func() {
		leaveNetwork()
		leaveConnection()
	}, true
}

// Answer takes a place of the kind of a grant type.
func (p *places) Answer(grant string, remote netip.Addr) (leave func(), ok bool) {
	kind := p.others
	if grant == config.Password {
		kind = p.logins
	}
	return kind.Acquire(ratelimit.NetworkOf(remote))
}

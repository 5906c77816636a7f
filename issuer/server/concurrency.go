package server

import (
	"net/http"
	"net/netip"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/ratelimit"
)

// The limits of concurrent token requests: while reading the body, logins, and all others. Each request takes some 80
// KB. The limits are separate, so that neither a stalled directory nor a slow client blocks other requests. Public
// documents are served from memory and have no limit.
const (
	maxReading = 640
	maxLogins  = 256
	maxOthers  = 256
)

// The limits per connection and per network. An HTTP/2 connection carries many requests.
const (
	maxReadingPerConnection = 16
	maxReadingPerNetwork    = maxReading / 2
	maxLoginsPerNetwork     = maxLogins / 2
)

// concurrencyLimits implements oauth2.ConcurrencyLimiter.
type concurrencyLimits struct {
	connections             *ratelimit.Semaphore[string]
	reading, logins, others *ratelimit.Semaphore[netip.Prefix]
}

func newConcurrencyLimits() *concurrencyLimits {
	return &concurrencyLimits{
		connections: ratelimit.NewSemaphore[string](maxReading, maxReadingPerConnection),
		reading:     ratelimit.NewSemaphore[netip.Prefix](maxReading, maxReadingPerNetwork),
		logins:      ratelimit.NewSemaphore[netip.Prefix](maxLogins, maxLoginsPerNetwork),
		others:      ratelimit.NewSemaphore[netip.Prefix](maxOthers, maxOthers),
	}
}

// AcquireRead acquires a slot for reading a body, in the limits of its connection and its network.
func (p *concurrencyLimits) AcquireRead(r *http.Request, remote netip.Addr) (release func(), ok bool) {
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

// AcquireGrant acquires a slot in the limit of a grant type.
func (p *concurrencyLimits) AcquireGrant(grant string, remote netip.Addr) (release func(), ok bool) {
	kind := p.others
	if grant == config.Password {
		kind = p.logins
	}
	return kind.Acquire(ratelimit.NetworkOf(remote))
}

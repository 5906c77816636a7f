package oauth2

import (
	"net/http"
	"net/netip"
)

// ConcurrencyLimiter limits concurrent requests. If the limit is reached, its methods return false; otherwise leave
// must be called once.
type ConcurrencyLimiter interface {
	// AcquireRead acquires a slot for reading a body.
	AcquireRead(r *http.Request, remote netip.Addr) (release func(), ok bool)
	// AcquireGrant acquires a slot for a request of a grant type.
	AcquireGrant(grant string, remote netip.Addr) (release func(), ok bool)
}

// tooMany returns the error for a request beyond the limit.
func tooMany() *Error { return Unavailable("too many requests at once", 1) }

// read reads and parses a token request, if a slot is free.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request, remote netip.Addr) (*tokenRequest, *Error) {
	leave, ok := e.places.AcquireRead(r, remote)
	if !ok {
		return nil, tooMany()
	}
	defer leave()
	return readRequest(w, r)
}

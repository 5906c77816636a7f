package oauth2

import (
	"net/http"
	"net/netip"
)

// Places bound the requests at a time. Each method reports false when too many are there already; otherwise leave must be called once.
type Places interface {
	// Read takes a place for a body that is read.
	Read(r *http.Request, remote netip.Addr) (leave func(), ok bool)
	// Answer takes a place for a request of a grant type that was read.
	Answer(grant string, remote netip.Addr) (leave func(), ok bool)
}

// tooMany tells a client to come again that comes when too many are there already.
func tooMany() *Refusal { return Unavailable("too many requests at once", 1) }

// read reads a token request, if there is a place for one more body.
func (e *Endpoint) read(w http.ResponseWriter, r *http.Request, remote netip.Addr) (*tokenRequest, *Refusal) {
	leave, ok := e.places.Read(r, remote)
	if !ok {
		return nil, tooMany()
	}
	defer leave()
	return readRequest(w, r)
}

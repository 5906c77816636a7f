package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/limit"
	"github.com/keywright/keywright/issuer/oauth2"
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

// maxStreams bounds the requests at a time on one connection (RFC 9113 section 5.1.2).
const maxStreams = 100

// places are those of the token requests.
type places struct {
	connections             *limit.Places[string]
	reading, logins, others *limit.Places[netip.Prefix]
}

func newPlaces() *places {
	return &places{
		connections: limit.NewPlaces[string](maxReading, maxReadingPerConnection),
		reading:     limit.NewPlaces[netip.Prefix](maxReading, maxReadingPerNetwork),
		logins:      limit.NewPlaces[netip.Prefix](maxLogins, maxLoginsPerNetwork),
		others:      limit.NewPlaces[netip.Prefix](maxOthers, maxOthers),
	}
}

// Read takes the places of a body that is read: of its connection and of its network.
func (p *places) Read(r *http.Request, remote netip.Addr) (leave func(), ok bool) {
	leaveConnection, ok := p.connections.Take(r.RemoteAddr)
	if !ok {
		return nil, false
	}
	leaveNetwork, ok := p.reading.Take(limit.NetworkOf(remote))
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
	return kind.Take(limit.NetworkOf(remote))
}

// remote is who sent a request. What a trusted proxy says and nobody understands is counted, and logged once.
func (s *Server) remote(r *http.Request, settings *config.Server) netip.Addr {
	address, understood := remoteAddress(r, settings)
	if !understood {
		s.metrics.unreadable.Inc()
		s.unreadable.Do(func() {
			s.log.Error("A trusted proxy sends no address that can be read: its clients are limited as one", "proxy", address.String(),
				"header", settings.ForwardedHeader)
		})
	}
	return address
}

// recovered reports a panic to the person on call. net/http would close the connection, and say it at a level that nobody reads.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			failed := recover()
			if failed == nil {
				return
			}
			what := fmt.Sprintf("%T", failed) // a text might quote what a client sent, unless Go itself wrote it
			if err, ok := failed.(runtime.Error); ok {
				what = err.Error()
			}
			s.log.Error("A request panicked", "panic", what, "stack", string(debug.Stack()))
			s.refuse(w, oauth2.ServerError("the request could not be answered", ""))
		}()
		next.ServeHTTP(w, r)
	})
}

// refuse answers, and counts, what has not become a token request.
func (s *Server) refuse(w http.ResponseWriter, refused *oauth2.Refusal) {
	s.metrics.requests.WithLabelValues(oauth2.OtherGrant, refused.Code).Inc()
	refused.Write(w)
}

package traffic

import (
	"net/http/httptrace"
	"sync"
)

// lastEvent is the last event of a request before it failed. The error of a timeout does not say whether the request waited for DNS,
// for a connection, or for the response.
type lastEvent struct {
	mu   sync.Mutex
	what string
}

// String returns the event.
func (l *lastEvent) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.what
}

func (l *lastEvent) is(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.what = what
}

// trace returns a trace that records each event.
func (l *lastEvent) trace() *httptrace.ClientTrace {
	l.is("the start of the request")
	return &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { l.is("the start of the DNS query") },
		ConnectStart:      func(_, address string) { l.is("the start of a connection to " + address) },
		TLSHandshakeStart: func() { l.is("the start of the TLS handshake") },
		GotConn: func(c httptrace.GotConnInfo) {
			if c.Reused {
				l.is("the choice of a connection that an earlier request had")
			} else {
				l.is("a new connection")
			}
		},
	}
}

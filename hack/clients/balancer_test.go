package clients_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// balancer forwards connections to the replicas that are ready, in turn, as a Service does.
type balancer struct {
	address  string
	mu       sync.Mutex
	replicas []*replica
	ready    []string
	next     int
}

func newBalancer(t *testing.T, replicas []*replica) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	b := &balancer{address: l.Addr().String(), replicas: replicas}
	b.look()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				b.look()
			}
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.forward(c)
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; _ = l.Close() })
	return b
}

// look asks each replica whether it is ready, as a kubelet does.
func (b *balancer) look() {
	var ready []string
	for _, r := range b.replicas {
		if r.ready() {
			ready = append(ready, strings.TrimPrefix(r.url, "https://"))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = ready
}

func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return ""
	}
	b.next++
	return b.ready[b.next%len(b.ready)]
}

func (b *balancer) forward(from net.Conn) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", b.pick())
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, from)
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

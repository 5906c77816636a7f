package ldap_test

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/config"
	"github.com/keywright/keywright/issuer/login/conformance"
)

// gateway passes bytes on, as a firewall does, until it forgets the connections that there are.
type gateway struct {
	mu        sync.Mutex
	forgotten chan struct{}
}

func newGateway(t *testing.T, to string) (g *gateway, address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	g = &gateway{forgotten: make(chan struct{})}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			g.mu.Lock()
			forgotten := g.forgotten
			g.mu.Unlock()
			go pass(server, client, forgotten)
			go pass(client, server, forgotten)
		}
	}()
	return g, listener.Addr().String()
}

// pass copies until the connection is forgotten: then nothing arrives, and nobody is told.
func pass(to io.Writer, from io.Reader, forgotten chan struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-forgotten:
			if err != nil {
				return
			}
			continue
		default:
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (g *gateway) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.forgotten)
	g.forgotten = make(chan struct{})
}

// When a firewall has forgotten all connections that are kept, the next logins succeed over new ones.
func TestConnectionsThatDiedWithoutAWord(t *testing.T) {
	s := newSlapd(t)
	_, port, err := net.SplitHostPort(s.ldaps[len("ldaps://"):])
	if err != nil {
		t.Fatal(err)
	}
	g, address := newGateway(t, net.JoinHostPort("127.0.0.1", port))
	settings := s.settings()
	settings.URL, settings.Timeout = "ldaps://"+address, config.Duration(8*time.Second)
	d := open(t, settings)
	all := func(what string) {
		t.Helper()
		var together sync.WaitGroup
		for range settings.Connections {
			together.Go(func() {
				if _, err := d.Authenticate(t.Context(), "alice", conformance.Password); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
		together.Wait()
	}
	all("at first")
	g.forget()
	all("after the connections died")
}

// An attribute that is a list has the same form whatever the count of its values.
func TestListAttributes(t *testing.T) {
	s := newSlapdWith(t, "", person("one", "employeeType: read")+person("two", "employeeType: read", "employeeType: write"))
	settings := s.settings()
	settings.Users.Attributes = map[string]config.LDAPAttribute{"list": {Name: "employeeType", List: true}, "plain": {Name: "employeeType"}}
	for name, want := range map[string][]string{"one": {"read"}, "two": {"read", "write"}} {
		user, err := open(t, settings).Authenticate(t.Context(), name, conformance.Password)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := user.Attributes["list"].([]string); !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, user.Attributes["list"])
		}
		if _, text := user.Attributes["plain"].(string); text != (len(want) == 1) {
			t.Errorf("%s: %v", name, user.Attributes["plain"])
		}
	}
}

package server

import (
	"net/netip"
	"testing"

	"github.com/keywright/keywright/issuer/config"
)

// Requests of one kind take no place of another kind, and one network takes no more than its share.
func TestPlaces(t *testing.T) {
	p := newConcurrencyLimits()
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var leave []func()
	for range maxLoginsPerNetwork {
		left, ok := p.AcquireGrant(config.Password, one)
		if !ok {
			t.Fatal("too few logins of a network")
		}
		leave = append(leave, left)
	}
	if _, ok := p.AcquireGrant(config.Password, one); ok {
		t.Error("one more login of a network with too many has a place")
	}
	for what, c := range map[string]struct {
		grant string
		from  netip.Addr
	}{"another network": {config.Password, other}, "another grant": {config.ClientCredentials, one}} {
		left, ok := p.AcquireGrant(c.grant, c.from)
		if !ok {
			t.Fatalf("%s has no place", what)
		}
		left()
	}
	for _, left := range leave {
		left()
	}
	if left, ok := p.AcquireGrant(config.Password, one); !ok {
		t.Error("afterwards there is no place")
	} else {
		left()
	}
}

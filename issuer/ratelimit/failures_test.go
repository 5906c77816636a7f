package ratelimit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/keywright/keywright/issuer/ratelimit"
)

var (
	now     = time.Unix(1_800_000_000, 0)
	here    = netip.MustParseAddr("192.0.2.1")
	perUser = ratelimit.Rate{Burst: 3, Every: 10 * time.Second}
	perNet  = ratelimit.Rate{Burst: 10, Every: time.Second}
)

func fails(f *ratelimit.Failures, at time.Time, name string, from netip.Addr) time.Duration {
	wait := f.Wait(at, name, from)
	if wait == 0 {
		f.Record(at, name, from)
	}
	return wait.Round(time.Millisecond)
}

func TestOneUserIsSlowedDownWhereTheAttackerIs(t *testing.T) {
	f := ratelimit.NewFailures(perUser, perNet)
	for i := range 3 {
		if wait := fails(f, now, "alice", here); wait != 0 {
			t.Fatalf("try %d waits %v", i, wait)
		}
	}
	if wait := fails(f, now, "alice", here); wait != 10*time.Second {
		t.Errorf("try 4 waits %v", wait)
	}
	if wait := fails(f, now.Add(10*time.Second), "alice", here); wait != 0 {
		t.Errorf("after 10 s she waits %v: she is slowed down, not locked out", wait)
	}
	if wait := fails(f, now, "alice", netip.MustParseAddr("192.0.2.2")); wait != 0 {
		t.Errorf("alice herself, elsewhere, waits %v", wait)
	}
	if wait := fails(f, now, "bob", here); wait != 0 {
		t.Errorf("bob waits %v", wait)
	}
}

func TestOneNetworkIsBounded(t *testing.T) {
	f := ratelimit.NewFailures(perUser, perNet)
	for i := range 10 {
		if wait := fails(f, now, fmt.Sprint(i), here); wait != 0 {
			t.Fatalf("name %d waits %v", i, wait)
		}
	}
	if wait := fails(f, now, "another", here); wait != time.Second {
		t.Errorf("the 11th name waits %v", wait)
	}
}

func TestIPv6NetworksAre64BitsLong(t *testing.T) {
	f := ratelimit.NewFailures(ratelimit.Rate{Burst: 1, Every: time.Minute}, perNet)
	if fails(f, now, "alice", netip.MustParseAddr("2001:db8::1")) != 0 || fails(f, now, "alice", netip.MustParseAddr("2001:db8::2")) == 0 {
		t.Error("the other end of a /64 is the same network")
	}
	if fails(f, now, "alice", netip.MustParseAddr("2001:db8:0:1::1")) != 0 {
		t.Error("another /64 is another network")
	}
	if fails(f, now, "alice", here) != 0 || fails(f, now, "alice", netip.MustParseAddr("::ffff:192.0.2.1")) == 0 {
		t.Error("a mapped IPv4 address is that address")
	}
	fails(f, now, "nobody knows from where", netip.Addr{}) // must not panic
}

// Guesses that are made at the same time, before the first has failed, are paid for afterwards.
func TestGuessesAtTheSameTimeArePaidFor(t *testing.T) {
	f := ratelimit.NewFailures(perUser, perNet)
	for range 8 {
		f.Record(now, "alice", here)
	}
	if wait := fails(f, now, "alice", here); wait != 60*time.Second {
		t.Errorf("after 8 guesses at once the next waits %v", wait)
	}
}

// A directory that does not look at case, width or spaces would let an attacker try each way to write a name.
func TestOneNameInManyWays(t *testing.T) {
	f := ratelimit.NewFailures(ratelimit.Rate{Burst: 1, Every: time.Minute}, perNet)
	fails(f, now, "alice smith", here)
	for _, name := range []string{"Alice Smith", " alice  smith", "\uff41lice\u00a0smith"} {
		if fails(f, now, name, here) == 0 {
			t.Errorf("%q is another name", name)
		}
	}
	if fails(f, now, "alicesmith", here) != 0 {
		t.Error("without a space it is the same name")
	}
}

// Whoever is told to wait cannot make the others be forgotten by asking with more names than are remembered.
func TestWaitingRemembersNothing(t *testing.T) {
	f := ratelimit.NewFailures(ratelimit.Rate{Burst: 1, Every: time.Hour}, perNet)
	fails(f, now, "alice", here)
	for i := range 60_000 {
		f.Wait(now, fmt.Sprint(i), netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if fails(f, now, "alice", here) == 0 {
		t.Error("her failure is forgotten")
	}
}

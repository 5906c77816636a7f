package ratelimit

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/time/rate"
)

// The maximum number of stored networks, and of pairs of user and network. The least recently used entry is evicted.
const (
	maxNetworks = 10_000
	maxUsers    = 50_000
)

// Rate allows a burst of failures, and one more per Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Failures limits failed logins, per user name and network, and per network. Attempts from one network do not delay
// the user in other networks. Names are stored as digests.
type Failures struct {
	perUser, perNetwork Rate
	users               *lru.Cache[[sha256.Size]byte, *rate.Limiter]
	networks            *lru.Cache[netip.Prefix, *rate.Limiter]
}

// NewFailures returns a Failures without recorded failures.
func NewFailures(perUser, perNetwork Rate) *Failures {
	users, _ := lru.New[[sha256.Size]byte, *rate.Limiter](maxUsers) // fails for sizes below 1 only
	networks, _ := lru.New[netip.Prefix, *rate.Limiter](maxNetworks)
	return &Failures{perUser: perUser, perNetwork: perNetwork, users: users, networks: networks}
}

// Wait returns how long a login must wait, 0 if it may proceed. It stores nothing, so that rejected attempts with
// many names evict no entry.
func (f *Failures) Wait(now time.Time, name string, from netip.Addr) time.Duration {
	network := NetworkOf(from)
	var longest time.Duration
	if limiter, ok := f.users.Get(userKey(name, network)); ok {
		longest = waitTime(limiter, now)
	}
	if limiter, ok := f.networks.Get(network); ok {
		longest = max(longest, waitTime(limiter, now))
	}
	return longest
}

// Record records a failed login. Concurrent failed logins are all recorded, and may exceed the burst.
func (f *Failures) Record(now time.Time, name string, from netip.Addr) {
	network := NetworkOf(from)
	limiterFor(f.users, userKey(name, network), f.perUser).ReserveN(now, 1)
	limiterFor(f.networks, network, f.perNetwork).ReserveN(now, 1)
}

// userKey returns the key of a name in a network. Case, width and spaces of the name are normalized, because a
// directory may ignore them.
func userKey(name string, network netip.Prefix) [sha256.Size]byte {
	text, _ := network.MarshalBinary() // never fails
	same := strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(name))), " ")
	return sha256.Sum256(append(append(text, 0), same...))
}

// waitTime returns the time until a limiter has a token.
func waitTime(limiter *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - limiter.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(limiter.Limit()) * float64(time.Second))
}

// NetworkOf returns the network that is limited as a unit: an IPv4 address, or an IPv6 /64 prefix.
func NetworkOf(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := 32
	if from.Is6() {
		bits = 64
	}
	prefix, _ := from.Prefix(bits) // fails for the zero address only, which has the zero prefix
	return prefix
}

func limiterFor[K comparable](cache *lru.Cache[K, *rate.Limiter], key K, r Rate) *rate.Limiter {
	if limiter, ok := cache.Get(key); ok {
		return limiter
	}
	limiter := rate.NewLimiter(rate.Every(r.Every), r.Burst)
	if other, ok, _ := cache.PeekOrAdd(key, limiter); ok {
		return other
	}
	return limiter
}

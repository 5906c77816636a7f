package limit

import (
	"crypto/sha256"
	"net/netip"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/time/rate"
)

// The networks and the pairs of a user and a network that are remembered. Beyond them the longest unused is forgotten.
const (
	maxNetworks = 10_000
	maxUsers    = 50_000
)

// Rate allows Burst failures at once, and one more each Every.
type Rate struct {
	Burst int
	Every time.Duration
}

// Failures bounds the logins that fail: of one name from one network, and from one network. A victim is slowed down where
// the attacker is, and nowhere else. Names are kept as digests.
type Failures struct {
	perUser, perNetwork Rate
	users               *lru.Cache[[sha256.Size]byte, *rate.Limiter]
	networks            *lru.Cache[netip.Prefix, *rate.Limiter]
}

// NewFailures returns a Failures that has seen none.
func NewFailures(perUser, perNetwork Rate) *Failures {
	users, _ := lru.New[[sha256.Size]byte, *rate.Limiter](maxUsers) // fails for sizes below 1 only
	networks, _ := lru.New[netip.Prefix, *rate.Limiter](maxNetworks)
	return &Failures{perUser: perUser, perNetwork: perNetwork, users: users, networks: networks}
}

// Wait is how long a login of a name must wait, 0 if it may go on. It remembers nothing: who is told to wait, and comes again
// with ever other names, takes nobody's place.
func (f *Failures) Wait(now time.Time, name string, from netip.Addr) time.Duration {
	network := NetworkOf(from)
	var longest time.Duration
	if limiter, ok := f.users.Get(userOf(name, network)); ok {
		longest = wait(limiter, now)
	}
	if limiter, ok := f.networks.Get(network); ok {
		longest = max(longest, wait(limiter, now))
	}
	return longest
}

// Failed counts a login that failed. Those that were let in at the same time are counted too, and waited for later.
func (f *Failures) Failed(now time.Time, name string, from netip.Addr) {
	network := NetworkOf(from)
	get(f.users, userOf(name, network), f.perUser).ReserveN(now, 1)
	get(f.networks, network, f.perNetwork).ReserveN(now, 1)
}

// userOf is a name in a network. Names that a directory may take for the same one, whatever their case, width and spaces, are the same.
func userOf(name string, network netip.Prefix) [sha256.Size]byte {
	text, _ := network.MarshalBinary() // never fails
	same := strings.Join(strings.Fields(strings.ToLower(norm.NFKC.String(name))), " ")
	return sha256.Sum256(append(append(text, 0), same...))
}

// wait is how long it takes until a limiter has a token.
func wait(limiter *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - limiter.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(limiter.Limit()) * float64(time.Second))
}

// NetworkOf is what one attacker has at least: an IPv4 address, or a /64 of IPv6.
func NetworkOf(from netip.Addr) netip.Prefix {
	from = from.Unmap().WithZone("")
	bits := 32
	if from.Is6() {
		bits = 64
	}
	prefix, _ := from.Prefix(bits) // fails for no address: then all are one network
	return prefix
}

func get[K comparable](cache *lru.Cache[K, *rate.Limiter], key K, r Rate) *rate.Limiter {
	if limiter, ok := cache.Get(key); ok {
		return limiter
	}
	limiter := rate.NewLimiter(rate.Every(r.Every), r.Burst)
	if other, ok, _ := cache.PeekOrAdd(key, limiter); ok {
		return other
	}
	return limiter
}

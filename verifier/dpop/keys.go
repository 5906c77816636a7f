package dpop

import (
	"crypto"
	"hash/maphash"
	"strings"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
)

// The limits of Keys: the number of keys, and the length of a JWK. The longest is that of an RSA key of 4096 bits.
const (
	knownKeys     = 256
	knownKeyBytes = 1 << 10
)

// Keys caches the parsed public keys of 256 clients, since a client uses the same key for many proofs, and parsing it
// costs more memory than the rest of a verification. Only keys of valid proofs are cached, and each proof is still
// verified. The cache takes at most about 0.5 MB. Its methods are safe for concurrent use.
type Keys struct {
	seed  maphash.Seed // prevents chosen collisions
	slots [knownKeys]atomic.Pointer[cachedKey]
}

// cachedKey is immutable.
type cachedKey struct {
	text      string // the encoded JWK
	algorithm jose.SignatureAlgorithm
	header    header
}

// NewKeys returns an empty cache.
func NewKeys() *Keys { return &Keys{seed: maphash.MakeSeed()} }

// Check is like the function Check, and uses the cache.
func (k *Keys) Check(headerValues []string, method string, urls ...string) (*Proof, error) {
	return check(k, headerValues, method, urls)
}

// slot returns the slot for a JWK.
func (k *Keys) slot(text string) *atomic.Pointer[cachedKey] {
	return &k.slots[maphash.String(k.seed, text)%knownKeys]
}

// get returns the cached header for a JWK and an algorithm.
func (k *Keys) get(algorithm jose.SignatureAlgorithm, text string) (header, bool) {
	if k == nil {
		return header{}, false
	}
	if known := k.slot(text).Load(); known != nil && known.algorithm == algorithm && known.text == text {
		return known.header, true
	}
	return header{}, false
}

// add caches the JWK of a valid proof, and replaces the previous entry of the slot.
func (k *Keys) add(h header) {
	if k != nil && !h.cached && len(h.jwk) <= knownKeyBytes {
		text := strings.Clone(h.jwk) // does not retain the whole proof
		k.slot(text).Store(&cachedKey{text, h.algorithm, header{algorithm: h.algorithm, public: h.public, thumbprint: h.thumbprint, cached: true}})
	}
}

// header holds the algorithm and the public key in the JOSE header of a proof.
type header struct {
	algorithm  jose.SignatureAlgorithm
	public     crypto.PublicKey
	thumbprint string
	jwk        string // as encoded in the header
	cached     bool   // from Keys
}

package dpop

import (
	"crypto"
	"hash/maphash"
	"strings"
	"sync/atomic"

	jose "github.com/go-jose/go-jose/v4"
)

// The bounds of Keys: how many keys, and how long the text of one may be. The longest is that of an RSA key of 4096 bits.
const (
	knownKeys     = 256
	knownKeyBytes = 1 << 10
)

// Keys remembers the public keys of 256 clients whose proofs were good, since a client uses one key for many: to read it again costs
// more memory than all else of a proof. That a key is remembered says nothing of the next proof, which is checked as ever. It takes
// about 0.5 MB at most. Its methods may be called by any number of goroutines.
type Keys struct {
	seed  maphash.Seed // so that nobody can choose which keys share a place
	slots [knownKeys]atomic.Pointer[knownKey]
}

// knownKey never changes.
type knownKey struct {
	text      string // the jwk as it is written
	algorithm jose.SignatureAlgorithm
	header    header
}

// NewKeys returns a memory that knows no key yet.
func NewKeys() *Keys { return &Keys{seed: maphash.MakeSeed()} }

// Check is the function Check, which knows no keys.
func (k *Keys) Check(headerValues []string, method string, urls ...string) (*Proof, error) {
	return check(k, headerValues, method, urls)
}

// slot is where a key is, if it is remembered.
func (k *Keys) slot(text string) *atomic.Pointer[knownKey] {
	return &k.slots[maphash.String(k.seed, text)%knownKeys]
}

// find returns what was read of a jwk before, for an algorithm.
func (k *Keys) find(algorithm jose.SignatureAlgorithm, text string) (header, bool) {
	if k == nil {
		return header{}, false
	}
	if known := k.slot(text).Load(); known != nil && known.algorithm == algorithm && known.text == text {
		return known.header, true
	}
	return header{}, false
}

// keep remembers what was read of the jwk of a good proof, in the place of another one.
func (k *Keys) keep(h header) {
	if k != nil && !h.known && len(h.jwk) <= knownKeyBytes {
		text := strings.Clone(h.jwk) // and not a part of the whole proof
		k.slot(text).Store(&knownKey{text, h.algorithm, header{algorithm: h.algorithm, public: h.public, thumbprint: h.thumbprint, known: true}})
	}
}

// header is what a JOSE header of a proof says: an algorithm, and a public key of it.
type header struct {
	algorithm  jose.SignatureAlgorithm
	public     crypto.PublicKey
	thumbprint string
	jwk        string // as it is written
	known      bool   // from Keys
}

package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Hash is a checked argon2id hash (RFC 9106).
type Hash struct {
	memory      uint32 // KiB
	passes      uint32
	parallelism uint8
	salt        []byte
	key         []byte
}

// The bounds of a hash. Beyond them argon2 panics, or one login takes the memory of the pod.
const (
	maxMemory      = 256 * 1024 // KiB
	maxPasses      = 10
	maxParallelism = 16
)

// errHash is what is said of every text that is not a hash: it must not quote it.
var errHash = errors.New("not an argon2id hash like $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>: " +
	"make one with `issuer hash-password`")

// ParseHash reads a hash in the PHC string format. Memory is at most 256 MiB, with at most 10 passes and 16 lanes; salt and
// key have 8 to 64 and 16 to 64 bytes.
func ParseHash(text string) (Hash, error) {
	var h Hash
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v=19" {
		return h, errHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &h.memory, &h.passes, &h.parallelism); n != 3 || err != nil {
		return h, errHash
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(parts[4]); err != nil {
		return h, errHash
	}
	if h.key, err = base64.RawStdEncoding.Strict().DecodeString(parts[5]); err != nil {
		return h, errHash
	}
	if h.String() != text { // a sign, leading zeros, or line breaks, which base64 skips
		return h, errHash
	}
	if h.passes < 1 || h.passes > maxPasses || h.parallelism < 1 || h.parallelism > maxParallelism ||
		h.memory < 8*uint32(h.parallelism) || h.memory > maxMemory ||
		len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return h, errors.New("the parameters of the argon2id hash are out of bounds: memory is at most 262144 KiB, with 1 to 10 passes, " +
			"1 to 16 lanes, 8 to 64 bytes of salt and 16 to 64 of key")
	}
	return h, nil
}

// standard has the parameters that OWASP recommends: 19 MiB, 2 passes, 1 lane.
func standard() Hash {
	return Hash{memory: 19 * 1024, passes: 2, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 32)}
}

// HashPassword makes a hash with the standard parameters.
func HashPassword(password string) string {
	h := standard()
	_, _ = rand.Read(h.salt) // never fails: crypto/rand
	h.key = h.derive(password)
	return h.String()
}

// String is the PHC string format.
func (h Hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.memory, h.passes, h.parallelism,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

func (h Hash) derive(password string) []byte {
	length := uint32(len(h.key)) //nolint:gosec // at most 64
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.parallelism, length)
}

// matches tells in constant time whether a password is the hashed one.
func (h Hash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1
}

// cost orders hashes by the work they take.
func (h Hash) cost() uint64 { return uint64(h.memory) * uint64(h.passes) }

// like returns a hash of the same cost that no password matches.
func (h Hash) like() Hash {
	nobody := Hash{memory: h.memory, passes: h.passes, parallelism: h.parallelism, salt: make([]byte, len(h.salt)), key: make([]byte, len(h.key))}
	_, _ = rand.Read(nobody.salt)
	_, _ = rand.Read(nobody.key)
	return nobody
}

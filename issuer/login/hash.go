package login

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// Hash is a validated password hash: argon2id (RFC 9106), bcrypt or PBKDF2.
type Hash struct {
	// bcrypt is a bcrypt hash, and pbkdf2 a PBKDF2 hash. If either is set, all fields below are zero.
	bcrypt string
	pbkdf2 *pbkdf2Hash

	memory      uint32 // KiB
	passes      uint32
	parallelism uint8
	salt        []byte
	key         []byte
}

// The limits of a hash. Beyond them argon2 panics, or one login uses the memory of the pod.
const (
	maxMemory      = 256 * 1024 // KiB
	maxPasses      = 10
	maxParallelism = 16
	maxKey         = 64
	maxBcryptCost  = 15
	// maxBcryptBytes is the number of bytes that bcrypt uses. Longer passwords are rejected, because their ends would
	// be ignored.
	maxBcryptBytes = 72
)

// errHash is the error for any invalid hash. It must not quote the text.
var errHash = errors.New("is not an argon2id hash like $argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>, nor a bcrypt or PBKDF2 hash: " +
	"create one with `issuer hash`")

// ParseHash parses an argon2id hash in the PHC string format, a bcrypt hash ($2a$, $2b$ or $2y$), or a PBKDF2 hash of
// Django, passlib or ASP.NET Core Identity. Memory is at most 256 MiB, with at most 10 passes and 16 lanes; salt and
// key have 8 to 64 and 16 to 64 bytes. The cost of bcrypt is 10 to 15; PBKDF2 has 100,000 to 5,000,000 iterations.
func ParseHash(text string) (Hash, error) {
	var h Hash
	switch {
	case strings.HasPrefix(text, "$2"):
		return parseBcrypt(text)
	case isPBKDF2(text):
		return parsePBKDF2(text)
	}
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
	if h.String() != text { // a sign, leading zeros, or line breaks, which base64 ignores
		return h, errHash
	}
	if h.passes < 1 || h.passes > maxPasses || h.parallelism < 1 || h.parallelism > maxParallelism ||
		h.memory < 8*uint32(h.parallelism) || h.memory > maxMemory ||
		len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > maxKey {
		return h, errors.New("has argon2id parameters out of bounds: m at most 262144, t 1 to 10, p 1 to 16, salt 8 to 64 bytes, key 16 to 64 bytes")
	}
	return h, nil
}

func parseBcrypt(text string) (Hash, error) {
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != 60 {
		return Hash{}, errHash
	}
	if cost < bcrypt.DefaultCost || cost > maxBcryptCost {
		return Hash{}, fmt.Errorf("has a bcrypt cost that is not between %d and %d", bcrypt.DefaultCost, maxBcryptCost)
	}
	return Hash{bcrypt: text}, nil
}

// defaultHash returns a Hash with the parameters that OWASP recommends: 19 MiB, 2 passes, 1 lane.
func defaultHash() Hash {
	return Hash{memory: 19 * 1024, passes: 2, parallelism: 1, salt: make([]byte, 16), key: make([]byte, 32)}
}

// HashPassword hashes a password, as returned by Prepare, with the default parameters.
func HashPassword(password string) string {
	h := defaultHash()
	_, _ = rand.Read(h.salt) // never fails: crypto/rand
	h.key = h.derive(password)
	return h.String()
}

// String returns the hash in its original format.
func (h Hash) String() string {
	switch {
	case h.bcrypt != "":
		return h.bcrypt
	case h.pbkdf2 != nil:
		return h.pbkdf2.text
	}
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", h.memory, h.passes, h.parallelism,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

func (h Hash) derive(password string) []byte {
	length := uint32(min(len(h.key), maxKey))
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.parallelism, length)
}

// matches reports in constant time whether the password matches the hash.
func (h Hash) matches(password string) bool {
	if h.bcrypt != "" {
		cut := password[:min(len(password), maxBcryptBytes)] // hashed nevertheless, so that the time does not differ
		return bcrypt.CompareHashAndPassword([]byte(h.bcrypt), []byte(cut)) == nil && len(password) <= maxBcryptBytes
	}
	if h.pbkdf2 != nil {
		return h.pbkdf2.matches(password)
	}
	return subtle.ConstantTimeCompare(h.derive(password), h.key) == 1
}

// cost returns the relative time of a hash. A pass of argon2id over 19 MiB takes about as long as bcrypt with cost 8.
func (h Hash) cost() uint64 {
	if h.bcrypt != "" {
		cost, _ := bcrypt.Cost([]byte(h.bcrypt)) // validated
		return 19 * 1024 << max(cost-8, 0)
	}
	if h.pbkdf2 != nil {
		return h.pbkdf2.cost()
	}
	return uint64(h.memory) * uint64(h.passes)
}

// workerBytes returns the memory of a worker process for this hash.
func (h Hash) workerBytes() int64 { return 10<<20 + int64(h.memory)<<10 }

// dummy returns a hash of the same cost that no password matches.
func (h Hash) dummy() Hash {
	if h.bcrypt != "" {
		digest := []byte(h.bcrypt)
		random := rand.Text() + rand.Text()
		copy(digest[7+22:], random[:30]) // the digest after $2b$10$ and the salt; the base32 alphabet is a subset
		return Hash{bcrypt: string(digest)}
	}
	if h.pbkdf2 != nil {
		return Hash{pbkdf2: h.pbkdf2.dummy()}
	}
	dummy := Hash{memory: h.memory, passes: h.passes, parallelism: h.parallelism, salt: make([]byte, len(h.salt)), key: make([]byte, len(h.key))}
	_, _ = rand.Read(dummy.salt)
	_, _ = rand.Read(dummy.key)
	return dummy
}

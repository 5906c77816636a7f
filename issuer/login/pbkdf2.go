package login

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// The limits of PBKDF2. Fewer iterations are too weak; more would occupy a core for seconds.
const (
	minIterations = 100_000
	maxIterations = 5_000_000
	maxSalt       = 64
)

// pbkdf2Hash is a PBKDF2 hash (RFC 8018 section 5.2) of another framework.
type pbkdf2Hash struct {
	// text is the hash in the original format of Django, passlib or ASP.NET Core Identity.
	text       string
	sha512     bool
	iterations int
	salt, key  []byte
}

// The prefixes of the formats. That of ASP.NET Core Identity is base64 of a byte 1 and the zeros of a small number.
const (
	djangoPrefix     = "pbkdf2_sha256$"
	passlib256Prefix = "$pbkdf2-sha256$" //nolint:gosec // the name of a scheme
	passlib512Prefix = "$pbkdf2-sha512$" //nolint:gosec // the name of a scheme
	aspNetPrefix     = "AQAAAA"
)

func isPBKDF2(text string) bool {
	for _, prefix := range []string{djangoPrefix, passlib256Prefix, passlib512Prefix, aspNetPrefix} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}

// parsePBKDF2 parses a hash that isPBKDF2 recognizes.
func parsePBKDF2(text string) (Hash, error) {
	h := &pbkdf2Hash{text: text}
	var ok bool
	if strings.HasPrefix(text, aspNetPrefix) {
		ok = h.parseASPNet(text)
	} else {
		ok = h.parseModular(text)
	}
	if !ok {
		return Hash{}, errHash
	}
	if h.iterations < minIterations || h.iterations > maxIterations || len(h.salt) < 8 || len(h.salt) > maxSalt ||
		len(h.key) < 16 || len(h.key) > h.new()().Size() {
		return Hash{}, fmt.Errorf("has PBKDF2 parameters out of bounds: it needs %d to %d iterations, a salt of 8 to %d bytes, "+
			"and a key of 16 bytes to the size of the digest",
			minIterations, maxIterations, maxSalt)
	}
	if _, err := pbkdf2.Key(h.new(), "", h.salt, 1, len(h.key)); err != nil { // FIPS mode has additional limits
		return Hash{}, fmt.Errorf("cannot be checked by this process: %w", err)
	}
	return Hash{pbkdf2: h}, nil
}

// parseModular parses the format of Django, pbkdf2_sha256$ITERATIONS$SALT$KEY with a plain salt, and that of passlib,
// $pbkdf2-sha256$ITERATIONS$SALT$KEY with both in base64 with a dot instead of the plus sign and no padding.
func (h *pbkdf2Hash) parseModular(text string) bool {
	django := strings.HasPrefix(text, djangoPrefix)
	h.sha512 = strings.HasPrefix(text, passlib512Prefix)
	parts := strings.Split(strings.TrimPrefix(text, "$"), "$")
	if len(parts) != 4 {
		return false
	}
	var err error
	if h.iterations, err = strconv.Atoi(parts[1]); err != nil || strconv.Itoa(h.iterations) != parts[1] {
		return false
	}
	if django {
		h.salt = []byte(parts[2])
		h.key, err = base64.StdEncoding.Strict().DecodeString(parts[3])
		return err == nil && base64.StdEncoding.EncodeToString(h.key) == parts[3]
	}
	var errSalt, errKey error
	h.salt, errSalt = passlibEncoding().DecodeString(parts[2])
	h.key, errKey = passlibEncoding().DecodeString(parts[3])
	return errSalt == nil && errKey == nil && passlibEncoding().EncodeToString(h.salt) == parts[2] && passlibEncoding().EncodeToString(h.key) == parts[3]
}

// passlibEncoding returns the base64 encoding of passlib.
func passlibEncoding() *base64.Encoding {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789./"
	return base64.NewEncoding(alphabet).WithPadding(base64.NoPadding).Strict()
}

// parseASPNet parses version 3 of ASP.NET Core Identity's PasswordHasher: base64 of a byte 1, of the pseudorandom
// function, the iterations and the length of the salt as big-endian 32-bit numbers, of the salt, and of the key.
// SHA-512 is its default since .NET 7.
func (h *pbkdf2Hash) parseASPNet(text string) bool {
	const header, hmacSHA256, hmacSHA512 = 13, 1, 2
	if len(text) > 256 {
		return false
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < header || base64.StdEncoding.EncodeToString(b) != text {
		return false
	}
	number := func(at int) int { return int(binary.BigEndian.Uint32(b[at:])) }
	function, salt := number(1), number(9)
	h.sha512, h.iterations = function == hmacSHA512, number(5)
	if function != hmacSHA256 && function != hmacSHA512 || salt > len(b)-header {
		return false
	}
	h.salt, h.key = b[header:header+salt], b[header+salt:]
	return true
}

func (h *pbkdf2Hash) new() func() hash.Hash {
	if h.sha512 {
		return sha512.New
	}
	return sha256.New
}

func (h *pbkdf2Hash) matches(password string) bool {
	key, err := pbkdf2.Key(h.new(), password, h.salt, h.iterations, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

// cost returns the cost in the unit of Hash.cost: 0.3 per iteration with SHA-256, and 0.8 with SHA-512.
func (h *pbkdf2Hash) cost() uint64 {
	tenths := 3
	if h.sha512 {
		tenths = 8
	}
	return uint64(h.iterations*tenths) / 10 //nolint:gosec // checked: it is not negative
}

// dummy returns a hash of the same cost that no password matches, in the format of passlib.
func (h *pbkdf2Hash) dummy() *pbkdf2Hash {
	dummy := *h
	dummy.salt, dummy.key = make([]byte, len(h.salt)), make([]byte, len(h.key))
	_, _ = rand.Read(dummy.salt) // never fails: crypto/rand
	_, _ = rand.Read(dummy.key)
	prefix := passlib256Prefix
	if h.sha512 {
		prefix = passlib512Prefix
	}
	dummy.text = fmt.Sprintf("%s%d$%s$%s", prefix, h.iterations, passlibEncoding().EncodeToString(dummy.salt), passlibEncoding().EncodeToString(dummy.key))
	return &dummy
}

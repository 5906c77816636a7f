package session

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

// NonceLifetime is the lifetime of a nonce.
const NonceLifetime = 5 * time.Minute

// macBytes is the length of a truncated HMAC-SHA-256.
const macBytes = 16

// Nonce returns a nonce for DPoP proofs (RFC 9449 section 8). It is an authenticated time, so that all replicas can
// verify it without a store. The MAC key is derived from a sealing key.
func Nonce(key issuerfiles.SealingKey, now time.Time) string {
	text := stamp{key.Number, now.Unix()}.bytes()
	return base64.RawURLEncoding.EncodeToString(append(text, nonceMAC(key, text)...))
}

// stamp is the content of a nonce: the number of the key, and the time in seconds since 1970.
type stamp struct{ Number, Time int64 }

const stampBytes = 16

func (s stamp) bytes() []byte {
	text, err := binary.Append(nil, binary.BigEndian, s)
	if err != nil {
		panic(err) // all fields have a fixed size
	}
	return text
}

// CheckNonce returns the expiry of a nonce, and whether it is valid now: not older than NonceLifetime, and at most
// skew in the future.
func CheckNonce(keys issuerfiles.SealingKeys, nonce string, now time.Time, skew time.Duration) (until time.Time, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != stampBytes+macBytes {
		return time.Time{}, false
	}
	var said stamp
	if _, err := binary.Decode(raw, binary.BigEndian, &said); err != nil {
		return time.Time{}, false
	}
	key, known := keys.Find(said.Number)
	if !known || !hmac.Equal(raw[stampBytes:], nonceMAC(key, raw[:stampBytes])) {
		return time.Time{}, false
	}
	made := time.Unix(said.Time, 0)
	until = made.Add(NonceLifetime)
	return until, !now.After(until) && !made.After(now.Add(skew))
}

func nonceMAC(key issuerfiles.SealingKey, text []byte) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(key.Secret), nil, "keywright DPoP nonce", sha256.Size)
	if err != nil {
		panic(err) // the length is valid for HKDF
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write(text)
	return mac.Sum(nil)[:macBytes]
}

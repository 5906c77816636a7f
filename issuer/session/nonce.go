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

// NonceLifetime is how long a nonce is good.
const NonceLifetime = 5 * time.Minute

// nonceBytes is the number of the key, the time in seconds since 1970, and half of an HMAC-SHA-256.
const nonceBytes = 8 + 8 + 16

// Nonce returns a nonce for proofs (RFC 9449 section 8) that every replica can check, since it is the authenticated time: none has to remember
// it. Its key is derived from a sealing key, apart from what seals.
func Nonce(key issuerfiles.SealingKey, now time.Time) string {
	var nonce [nonceBytes]byte
	binary.BigEndian.PutUint64(nonce[:8], uint64(key.Number))
	binary.BigEndian.PutUint64(nonce[8:16], uint64(now.Unix()))
	copy(nonce[16:], nonceMAC(key, nonce[:16]))
	return base64.RawURLEncoding.EncodeToString(nonce[:])
}

// CheckNonce returns until when a nonce is good, and reports whether it is: not older than NonceLifetime by the clock of the caller, nor newer than
// skew.
func CheckNonce(keys issuerfiles.SealingKeys, nonce string, now time.Time, skew time.Duration) (until time.Time, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != nonceBytes {
		return time.Time{}, false
	}
	key, known := keys.Find(int64(binary.BigEndian.Uint64(raw[:8])))
	if !known || !hmac.Equal(raw[16:], nonceMAC(key, raw[:16])) {
		return time.Time{}, false
	}
	made := time.Unix(int64(binary.BigEndian.Uint64(raw[8:16])), 0)
	until = made.Add(NonceLifetime)
	return until, !now.After(until) && !made.After(now.Add(skew))
}

func nonceMAC(key issuerfiles.SealingKey, text []byte) []byte {
	derived, err := hkdf.Key(sha256.New, []byte(key.Secret), nil, "keywright DPoP nonce", sha256.Size)
	if err != nil {
		panic(err) // the length is one of HKDF
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write(text)
	return mac.Sum(nil)[:16]
}

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

// macBytes is half of an HMAC-SHA-256.
const macBytes = 16

// Nonce returns a nonce for proofs (RFC 9449 section 8) that every replica can check, since it is the authenticated time: none has to remember
// it. Its key is derived from a sealing key, apart from what seals.
func Nonce(key issuerfiles.SealingKey, now time.Time) string {
	text := stamp{key.Number, now.Unix()}.bytes()
	return base64.RawURLEncoding.EncodeToString(append(text, nonceMAC(key, text)...))
}

// stamp is what a nonce says: the number of the key, and the time in seconds since 1970.
type stamp struct{ Number, Time int64 }

const stampBytes = 16

func (s stamp) bytes() []byte {
	text, err := binary.Append(nil, binary.BigEndian, s)
	if err != nil {
		panic(err) // its members have a size
	}
	return text
}

// CheckNonce returns until when a nonce is good, and reports whether it is: not older than NonceLifetime by the clock of the caller, nor newer than
// skew.
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
		panic(err) // the length is one of HKDF
	}
	mac := hmac.New(sha256.New, derived)
	mac.Write(text)
	return mac.Sum(nil)[:macBytes]
}

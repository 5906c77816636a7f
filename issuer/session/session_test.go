package session_test

import (
	"bytes"
	"crypto/fips140"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/issuer/session"
)

func key(number int64, fill byte) issuerfiles.SealingKey {
	return issuerfiles.SealingKey{Number: number, Secret: bytes.Repeat([]byte{fill}, issuerfiles.SealingSecretBytes), UsedAt: time.Unix(1, 0)}
}

func whole() session.Session {
	return session.Session{
		ID: "S1", Subject: "8a2f", Username: "alice", ClientID: "web", Scopes: []string{"read", "write"}, Audiences: []string{"https://shop.example.com"},
		AuthenticatedAt: time.Unix(1_795_600_000, 0), End: time.Unix(1_795_700_000, 0), Expiry: time.Unix(1_795_650_000, 0),
		Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", Credential: "QCVOetxL8r6B8Jx3aj_FYQ",
	}
}

func TestSealAndOpen(t *testing.T) {
	keys := issuerfiles.SealingKeys{key(1, 'a'), key(2, 'b')}
	compact, err := session.Seal(keys[1], whole())
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := session.Seal(keys[1], whole()); again == compact {
		t.Error("two tokens are the same: a nonce was used twice")
	}
	opened, err := session.Open(keys, compact)
	if err != nil || !reflect.DeepEqual(opened, whole()) {
		t.Errorf("%+v, %v", opened, err)
	}
	if len(compact) > 800 {
		t.Errorf("%d bytes", len(compact))
	}
	if _, err := session.Open(keys[:1], compact); !errors.Is(err, session.ErrNewerKey) {
		t.Errorf("with a key that is on its way: %v", err)
	}
	old, err := session.Seal(keys[0], whole())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Open(keys[1:], old); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("with a key that is gone: %v", err)
	}
	if _, err := session.Open(issuerfiles.SealingKeys{key(2, 'c')}, compact); !errors.Is(err, session.ErrInvalid) {
		t.Errorf("with another key of this number: %v", err)
	}
	long := whole()
	long.Audiences = []string{strings.Repeat("a", session.MaxBytes)}
	if _, err := session.Seal(keys[0], long); !errors.Is(err, session.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

// Others can read what we seal, given the key: it is a JWE.
func TestRefreshTokenIsAJWE(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("go-jose chooses the nonces of AES-GCM itself, which Go's FIPS module forbids")
	}
	compact, err := session.Seal(key(7, 'a'), whole())
	if err != nil {
		t.Fatal(err)
	}
	object, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil || object.Header.KeyID != "7" {
		t.Fatalf("%v", err)
	}
	payload, err := object.Decrypt(bytes.Repeat([]byte{'a'}, issuerfiles.SealingSecretBytes))
	if err != nil || !bytes.Contains(payload, []byte(`"sid":"S1"`)) {
		t.Errorf("%s, %v", payload, err)
	}
}

// What was changed anywhere is not opened.
func FuzzOpen(f *testing.F) {
	keys := issuerfiles.SealingKeys{key(1, 'a')}
	good, err := session.Seal(keys[0], whole())
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	head := func(text string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(text)) + good[len(parts[0]):]
	}
	for _, foreign := range []string{
		"", "....", good + ".", good[:len(good)-1], parts[0] + ".x." + strings.Join(parts[2:], "."), strings.Repeat("a", 3000),
		head(`{"alg":"dir","enc":"A256GCM","kid":"1"}`), head(`{"alg":"none","enc":"A256GCM","kid":"1","typ":"keywright-refresh+json"}`),
		head(`{"alg":"dir","enc":"A256GCM","kid":"01","typ":"keywright-refresh+json"}`), head(`{"alg":"dir","enc":"A256GCM","kid":1,"typ":"keywright-refresh+json"}`),
		head(`{"alg":"dir","enc":"A256GCM","kid":"-1","typ":"keywright-refresh+json"}`), parts[0] + "..." + parts[3] + "." + parts[4],
	} {
		f.Add(foreign)
	}
	f.Fuzz(func(t *testing.T, foreign string) {
		opened, err := session.Open(keys, foreign)
		if err == nil && foreign != good {
			t.Errorf("%q is opened: %+v", foreign, opened)
		}
		if err != nil && !errors.Is(err, session.ErrInvalid) && !errors.Is(err, session.ErrNewerKey) {
			t.Errorf("%v", err)
		}
	})
}

func TestNonce(t *testing.T) {
	now := time.Unix(1_795_600_000, 0)
	keys := issuerfiles.SealingKeys{key(1, 'a'), key(2, 'b')}
	nonce := session.Nonce(keys[0], now)
	for name, c := range map[string]struct {
		keys  issuerfiles.SealingKeys
		nonce string
		at    time.Duration
		good  bool
	}{
		"at once":                   {keys, nonce, 0, true},
		"at its end":                {keys, nonce, session.NonceLifetime, true},
		"after it":                  {keys, nonce, session.NonceLifetime + time.Second, false},
		"by a clock that is behind": {keys, nonce, -time.Minute, true},
		"from the future":           {keys, nonce, -time.Minute - time.Second, false},
		"of a key that is gone":     {keys[1:], nonce, 0, false},
		"of another key":            {issuerfiles.SealingKeys{key(1, 'c')}, nonce, 0, false},
		"empty":                     {keys, "", 0, false},
		"cut short":                 {keys, nonce[:len(nonce)-2], 0, false},
		"another time":              {keys, "AAAAAAAAAAEAAAAAawZ8AA" + nonce[22:], 0, false},
		"padded":                    {keys, nonce + "=", 0, false},
	} {
		until, good := session.CheckNonce(c.keys, c.nonce, now.Add(c.at), time.Minute)
		if good != c.good || good && !until.Equal(now.Add(session.NonceLifetime)) {
			t.Errorf("%s: %v until %v", name, good, until)
		}
	}
}

package simulation

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/controllers/rotation"
)

// pool has the keys of all schedules, since generating them takes longer than all else. A schedule needs a few dozen,
// and each starts at another index. There are no RSA keys, since a signature takes a millisecond.
var pool = struct {
	mu   sync.Mutex
	made map[string]rotation.Material
}{made: map[string]rotation.Material{}}

const poolSize = 8192

// generate returns the next key pair of a schedule. It returns the same one until it is stored, since the product
// generates keys for hours while a keyring cannot be written. Two processes never get the same one.
func (w *world) generate(p *process, spec rotation.KeySpec) (rotation.Material, error) {
	for n := range poolSize {
		name := fmt.Sprintf("%s %d", spec.Algorithm, (w.seed*37+2*uint64(n)+uint64(p.slot))%poolSize)
		m, err := material(spec.Algorithm, name)
		if err != nil {
			return m, err
		}
		if k := w.facts.keys[m.ID]; k == nil || !k.stored {
			return m, nil
		}
	}
	return rotation.Material{}, fmt.Errorf("a schedule with more than %d keys", poolSize/2)
}

func material(algorithm, name string) (rotation.Material, error) {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	m, known := pool.made[name]
	if !known {
		var err error
		if m, err = makeKey(algorithm, name); err != nil {
			return m, err
		}
		pool.made[name] = m
	}
	return m, nil
}

func makeKey(algorithm, name string) (rotation.Material, error) {
	digest := sha512.Sum512([]byte(name))
	var private any
	var err error
	switch algorithm {
	case "ES256":
		private, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), digest[:32])
	case "ES384":
		private, err = ecdsa.ParseRawPrivateKey(elliptic.P384(), digest[:48])
	case "EdDSA":
		private = ed25519.NewKeyFromSeed(digest[:32])
	default:
		err = fmt.Errorf("no key for %s", algorithm)
	}
	if err != nil {
		return rotation.Material{}, err
	}
	jwk := jose.JSONWebKey{Key: private, Algorithm: algorithm, Use: "sig"}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return rotation.Material{}, err
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	public := jwk.Public()
	m := rotation.Material{ID: jwk.KeyID}
	if m.Public, err = public.MarshalJSON(); err != nil {
		return m, err
	}
	m.Private, err = jwk.MarshalJSON()
	return m, err
}

// mustNotHoldPrivateKeys checks invariant 4: the member that only private JWKs have is in no other object.
func (w *world) mustNotHoldPrivateKeys(what, text string) {
	if strings.Contains(text, `"d":`) || strings.Contains(text, `\"d\":`) {
		w.violate("invariant 4: %s holds a private key", what)
	}
}

func (w *world) mustNotHoldPrivateJSON(what string, v any) {
	b, err := json.Marshal(v)
	if err != nil || bytes.Contains(b, []byte(`\"d\":`)) || bytes.Contains(b, []byte(`"d":`)) {
		w.violate("invariant 4: %s holds a private key", what)
	}
}

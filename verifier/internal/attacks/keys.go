package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
)

// key signs tokens.
type key struct {
	id        string
	algorithm string
	private   crypto.Signer
}

// keys are those of the issuer, one it has revoked, one of the attacker, and one that tokens are bound to.
type keys struct {
	ec, ed, rs, revoked, attacker, client key
}

func newKeys() (keys, error) {
	ec, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("k", 32)))
	if err != nil {
		return keys{}, err
	}
	revoked, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("r", 32)))
	if err != nil {
		return keys{}, err
	}
	attacker, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("a", 32)))
	if err != nil {
		return keys{}, err
	}
	client, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), []byte(strings.Repeat("c", 32)))
	if err != nil {
		return keys{}, err
	}
	rs, err := rsaKey()
	return keys{
		ec:       key{"ec-1", "ES256", ec},
		ed:       key{"ed-1", "EdDSA", ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))},
		rs:       key{"rs-1", "RS256", rs},
		revoked:  key{"ec-0", "ES256", revoked},
		attacker: key{"ec-1", "ES256", attacker},
		client:   key{"client", "ES256", client},
	}, err
}

// rsaKey makes the same key each time, which crypto/rsa does not: two primes out of a hash.
func rsaKey() (*rsa.PrivateKey, error) {
	private := &rsa.PrivateKey{PublicKey: rsa.PublicKey{E: 65537}, Primes: []*big.Int{prime("p"), prime("q")}}
	p, q, one := private.Primes[0], private.Primes[1], big.NewInt(1)
	private.N = new(big.Int).Mul(p, q)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	private.D = new(big.Int).ModInverse(big.NewInt(65537), phi)
	private.Precompute()
	return private, private.Validate()
}

// prime returns the first prime of 1024 bits after a number that follows from the name.
func prime(name string) *big.Int {
	var digits []byte
	for block := byte(0); len(digits) < 128; block++ {
		sum := sha256.Sum256(append([]byte(name), block))
		digits = append(digits, sum[:]...)
	}
	n := new(big.Int).SetBytes(digits)
	n.SetBit(n, 1023, 1).SetBit(n, 1022, 1).SetBit(n, 0, 1)
	for !n.ProbablyPrime(32) {
		n.Add(n, big.NewInt(2))
	}
	return n
}

// set is the JWK Set of the issuer.
func (k keys) set() any {
	return map[string]any{"keys": []any{k.ec.jwk(nil), k.ed.jwk(nil), k.rs.jwk(nil)}}
}

// jwk returns the public JWK with some members changed, or left out where the value is nil.
func (k key) jwk(changes map[string]any) map[string]any {
	encoded, err := json.Marshal(jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: k.algorithm, Use: "sig"})
	members := map[string]any{}
	if err != nil || json.Unmarshal(encoded, &members) != nil {
		panic("a key of this program is no JWK")
	}
	for name, value := range changes {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	return members
}

// sign makes a token of a header and claims as they are written.
func (k key) sign(header, claims string) string {
	input := encode(header) + "." + encode(claims)
	return input + "." + encode(string(k.signature(input)))
}

// signature signs as the key's own algorithm says, whatever a header claims. Without a source of random bytes ECDSA is
// deterministic (RFC 6979).
func (k key) signature(input string) []byte {
	digest := sha256.Sum256([]byte(input))
	switch private := k.private.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, []byte(input))
	case *ecdsa.PrivateKey:
		return raw(must(private.Sign(nil, digest[:], crypto.SHA256)))
	default:
		return must(k.private.Sign(nil, digest[:], crypto.SHA256))
	}
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

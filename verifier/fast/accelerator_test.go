package fast

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"
	"unsafe"
)

// Prepared are keys of ES256 and EdDSA, and none in FIPS mode.
func TestPrepare(t *testing.T) {
	es := newP256Pair(big.NewInt(5)).public
	ed := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32))).Public().(ed25519.PublicKey)
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).Public()
	for _, row := range []struct {
		name, algorithm string
		public          any
		want            bool
	}{
		{"ES256", "ES256", es, true},
		{"EdDSA", "EdDSA", ed, true},
		{"another algorithm of the curve", "ES384", es, false},
		{"another curve", "ES256", p384, false},
		{"another algorithm of Edwards", "ES256", ed, false},
		{"too short", "EdDSA", ed[:31], false},
		{"no point", "EdDSA", ed25519.PublicKey(append([]byte{2}, make([]byte, 31)...)), false},
		{"no point of P-256", "ES256", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, false},
		{"RSA", "RS256", &rsa.PublicKey{N: big.NewInt(1), E: 65537}, false},
	} {
		if got := New().Prepare(row.algorithm, row.public) != nil; got != (row.want && !fips140.Enabled()) {
			t.Errorf("%s: prepared is %v", row.name, got)
		}
	}
}

// A key takes at most 300 KB, and a check no more allocations than the standard library.
func TestCosts(t *testing.T) {
	for name, size := range map[string]uintptr{"P-256": unsafe.Sizeof(p256Table{}), "edwards25519": unsafe.Sizeof(edwardsTable{})} {
		t.Logf("%s: %d bytes a table", name, size)
		if size > 300_000 {
			t.Errorf("%s: a table has %d bytes", name, size)
		}
	}
	input := strings.Repeat("i", 500)
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	digest := sha256.Sum256([]byte(input))
	asn1 := must(ecdsa.SignASN1(rand.Reader, private, digest[:]))
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	es, key := signatureOf(r, must(s, err)), newP256Key(&private.PublicKey)
	bare := testing.AllocsPerRun(200, func() { ecdsa.VerifyASN1(&private.PublicKey, digest[:], asn1) })
	if n := testing.AllocsPerRun(200, func() { key.check(input, es) }); n > bare {
		t.Errorf("ES256: %v allocations, and %v by the standard library", n, bare)
	}
	seed := ed25519.NewKeyFromSeed([]byte(strings.Repeat("s", 32)))
	ed, edKey := [64]byte(ed25519.Sign(seed, []byte(input))), newEdwardsKey(seed.Public().(ed25519.PublicKey), base)
	if n := testing.AllocsPerRun(200, func() { edKey.check(input, ed) }); n != 0 {
		t.Errorf("EdDSA: %v allocations", n)
	}
}

func BenchmarkTables(b *testing.B) {
	public := newP256Pair(big.NewInt(5)).public
	b.Run("P-256", func(b *testing.B) {
		for b.Loop() {
			newP256Key(public)
		}
	})
	b.Run("edwards25519", func(b *testing.B) {
		for b.Loop() {
			newBaseTable()
		}
	})
}

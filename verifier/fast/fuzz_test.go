package fast

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
)

var cases = flag.Int("cases", 2000, "random cases of each algorithm")

// FuzzES256 gives crypto/ecdsa and a table the same signature: one that is good but for what it is changed by, and one as it is.
func FuzzES256(f *testing.F) {
	f.Add([]byte{1}, []byte("m"), make([]byte, 64))
	f.Add([]byte("a private key of 32 bytes or so.."), []byte{}, []byte{31: 1})
	f.Fuzz(func(t *testing.T, private, input, change []byte) {
		d := new(big.Int).Mod(new(big.Int).SetBytes(private), order())
		if d.Sign() == 0 {
			return
		}
		pair := newP256Pair(d)
		key := must(ecdsa.ParseRawPrivateKey(pair.public.Curve, d.FillBytes(make([]byte, 32))))
		digest := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		signature := signatureOf(r, must(s, err))
		pair.agree(t, "changed", digest, changedBy(signature, change))
		var asItIs [64]byte
		copy(asItIs[:], change)
		pair.agree(t, "as it is", digest, asItIs)
	})
}

// FuzzEdDSA does so with crypto/ed25519, and takes a key as it is too.
func FuzzEdDSA(f *testing.F) {
	f.Add(make([]byte, 32), []byte("m"), make([]byte, 64))
	f.Add([]byte("a seed or a public key, 32 bytes"), []byte{}, []byte{63: 0x20})
	f.Fuzz(func(t *testing.T, key, input, change []byte) {
		seed := sha256.Sum256(key)
		private := ed25519.NewKeyFromSeed(seed[:])
		pair := newEdwardsPair(private.Public().(ed25519.PublicKey))
		pair.agree(t, "changed", string(input), changedBy([64]byte(ed25519.Sign(private, input)), change))
		var asItIs [64]byte
		copy(asItIs[:], change)
		if len(key) == 32 {
			if foreign := newEdwardsPair(key); foreign != nil {
				foreign.agree(t, "as it is", string(input), asItIs)
			} else if ed25519.Verify(key, input, asItIs[:]) {
				t.Errorf("%x is no key here", key)
			}
		}
	})
}

func changedBy(signature [64]byte, change []byte) [64]byte {
	for i := range min(len(change), len(signature)) {
		signature[i] ^= change[i]
	}
	return signature
}

// Of random cases a quarter is good, a quarter has a bit of the signature changed, a quarter a number that is random, and a quarter
// another input. Keys change every 1,000 cases.
func TestRandomCases(t *testing.T) {
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	fill := func(into []byte) {
		for i := range into {
			into[i] = byte(random.Uint32())
		}
	}
	accepted := [2]int{}
	var d [32]byte
	for done := 0; done < *cases; {
		fill(d[:])
		es := newP256Pair(plus(new(big.Int).Rsh(new(big.Int).SetBytes(d[:]), 1), 1))
		esPrivate := must(ecdsa.ParseRawPrivateKey(es.public.Curve, es.d.FillBytes(make([]byte, 32))))
		edPrivate := ed25519.NewKeyFromSeed(d[:])
		ed := newEdwardsPair(edPrivate.Public().(ed25519.PublicKey))
		for end := min(done+1000, *cases); done < end; done++ {
			var digest [32]byte
			fill(digest[:])
			r, s, err := ecdsa.Sign(rand.Reader, esPrivate, digest[:])
			ofES, ofEd := signatureOf(r, must(s, err)), [64]byte(must(edPrivate.Sign(nil, digest[:], crypto.Hash(0))))
			switch done % 4 {
			case 1:
				bit := random.IntN(512)
				ofES[bit/8] ^= 1 << (bit % 8)
				ofEd[bit/8] ^= 1 << (bit % 8)
			case 2:
				half := 32 * random.IntN(2)
				fill(ofES[half : half+32])
				fill(ofEd[half : half+32])
			case 3:
				digest[random.IntN(32)] ^= 1 << random.IntN(8)
			}
			for i, ok := range []bool{es.agree(t, "random", digest, ofES), ed.agree(t, "random", string(digest[:]), ofEd)} {
				if ok != (done%4 == 0) {
					t.Errorf("case %d, algorithm %d: accepted is %v", done, i, ok)
				}
				if ok {
					accepted[i]++
				}
			}
		}
	}
	t.Logf("%d cases of each, accepted %v", *cases, accepted)
}

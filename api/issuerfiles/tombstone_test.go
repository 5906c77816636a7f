package issuerfiles_test

import (
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier"
)

type jwk struct {
	Use, Kty, Kid, Crv, Alg, X, Y, N, E string
}

func tombstone(t *testing.T, alg string) jwk {
	t.Helper()
	var set struct{ Keys []jwk }
	if err := json.Unmarshal(issuerfiles.Tombstone(alg), &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%v: %d keys", err, len(set.Keys))
	}
	return set.Keys[0]
}

func thumbprint(members string) string {
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func candidate(alg string, n int) []byte {
	sum := sha512.Sum512(fmt.Appendf(nil, "keywright.dev tombstone: nobody has the private half of this key, %s, %d", alg, n))
	return sum[:]
}

// Nobody chose the x of these points: it is a hash. So nobody can know their private half.
func TestTombstonesOfCurvesAreHashed(t *testing.T) {
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		size := (curve.Params().BitSize + 7) / 8
		x := make([]byte, size)
		bytes := min(size, sha512.Size)
		copy(x[size-bytes:], candidate(alg, 0)[:bytes])
		px, py := elliptic.UnmarshalCompressed(curve, append([]byte{2}, x...)) // 2: the even y
		if px == nil {
			t.Fatalf("%s: the first hash is not the x of a point", alg)
		}
		got := tombstone(t, alg)
		wantX, wantY := base64.RawURLEncoding.EncodeToString(x), base64.RawURLEncoding.EncodeToString(py.FillBytes(make([]byte, size)))
		kid := thumbprint(fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, curve.Params().Name, wantX, wantY))
		if want := (jwk{"sig", "EC", kid, curve.Params().Name, alg, wantX, wantY, "", ""}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestTombstoneOfEdDSAIsTheFirstHashOfPrimeOrder(t *testing.T) {
	got := tombstone(t, "EdDSA")
	for n := range 34 {
		encoded := candidate("EdDSA", n)[:32]
		if isPoint := ofPrimeOrder(encoded); isPoint != (n == 33) {
			t.Errorf("hash %d is the encoding of a point of prime order: %v", n, isPoint)
		}
	}
	x := base64.RawURLEncoding.EncodeToString(candidate("EdDSA", 33)[:32])
	if want := (jwk{"sig", "OKP", thumbprint(fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":%q}`, x)), "Ed25519", "EdDSA", x, "", "", ""}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// rsa2048 is the number of the RSA Factoring Challenge. Its decimal digits add up to 2738, as RSA Laboratories published.
const rsa2048 = "25195908475657893494027183240048398571429282126204032027777137836043662020707595556264018525880784406918290641249515082" +
	"1892985591491761845028084891200728449926873928072877767359714183472702618963750149718246911650776133798590957000973304597488" +
	"0842840179742910064245869181719511874612151517265463228221686998754918242243363725908514186546204357679842338718477444792073" +
	"9934236584823824281198163815010674810451660377306056201619676256133844143603833904414952634432190114657544454178424020924616" +
	"515723350778707749817125772467962926386356373289912154831438167899885040445364023527381951378636564391212010397122822120720357"

func TestTombstoneOfRSAIsTheChallenge(t *testing.T) {
	digits := 0
	for _, d := range rsa2048 {
		digits += int(d - '0')
	}
	n, ok := new(big.Int).SetString(rsa2048, 10)
	if !ok || len(rsa2048) != 617 || n.BitLen() != 2048 || digits != 2738 {
		t.Fatalf("%d digits that add up to %d, %d bits", len(rsa2048), digits, n.BitLen())
	}
	modulus := base64.RawURLEncoding.EncodeToString(n.Bytes())
	for _, alg := range []string{"RS256", "RS384", "RS512"} {
		want := jwk{"sig", "RSA", thumbprint(fmt.Sprintf(`{"e":"AQAB","kty":"RSA","n":%q}`, modulus)), "", alg, "", "", modulus, "AQAB"}
		if got := tombstone(t, alg); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// A verifier reads a tombstone as a good key set. Nothing that we hand out takes it for a key.
func TestTombstoneIsAGoodKeySet(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512", "EdDSA", "RS256", "RS384", "RS512"} {
		file := issuerfiles.Tombstone(alg)
		set, err := verifier.ParseKeySet(file)
		if err != nil || len(set.KeyIDs()) != 1 || !issuerfiles.IsTombstone(set.KeyIDs()[0]) {
			t.Errorf("%s: %v", alg, err)
		}
		if ids := issuerfiles.KeyIDs(file); len(ids) != 0 || !issuerfiles.TrustsNobody(string(file)) {
			t.Errorf("%s counts as keys: %v", alg, ids)
		}
	}
	if issuerfiles.TrustsNobody(`{"keys":[]}`) || issuerfiles.TrustsNobody("") || issuerfiles.IsTombstone("") {
		t.Error("what is no tombstone counts as one")
	}
}

// ofPrimeOrder decodes a point of edwards25519 (RFC 8032 section 5.1.3) and multiplies it by the order of the base point.
func ofPrimeOrder(encoded []byte) bool {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	d := new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p))
	d.Mod(d, p)
	y := new(big.Int)
	for i := 31; i >= 0; i-- {
		y.Or(y.Lsh(y, 8), big.NewInt(int64(encoded[i])))
	}
	sign := y.Bit(255)
	y.SetBit(y, 255, 0)
	mod := func(z *big.Int) *big.Int { return z.Mod(z, p) }
	yy := mod(new(big.Int).Mul(y, y))
	xx := mod(new(big.Int).Mul(new(big.Int).Sub(yy, big.NewInt(1)), new(big.Int).ModInverse(mod(new(big.Int).Add(new(big.Int).Mul(d, yy), big.NewInt(1))), p)))
	x := new(big.Int).ModSqrt(xx, p)
	if y.Cmp(p) >= 0 || x == nil || x.Sign() == 0 {
		return false
	}
	if x.Bit(0) != sign {
		x.Sub(p, x)
	}
	type point struct{ x, y *big.Int }
	add := func(a, b point) point { // the complete affine formula
		product := mod(new(big.Int).Mul(d, mod(new(big.Int).Mul(mod(new(big.Int).Mul(a.x, b.x)), mod(new(big.Int).Mul(a.y, b.y))))))
		over := func(top, bottom *big.Int) *big.Int {
			return mod(new(big.Int).Mul(mod(top), new(big.Int).ModInverse(mod(bottom), p)))
		}
		one := big.NewInt(1)
		return point{
			over(new(big.Int).Add(new(big.Int).Mul(a.x, b.y), new(big.Int).Mul(a.y, b.x)), new(big.Int).Add(one, product)),
			over(new(big.Int).Add(new(big.Int).Mul(a.y, b.y), new(big.Int).Mul(a.x, b.x)), new(big.Int).Sub(one, product)),
		}
	}
	sum := point{big.NewInt(0), big.NewInt(1)}
	for i := order.BitLen() - 1; i >= 0; i-- {
		sum = add(sum, sum)
		if order.Bit(i) == 1 {
			sum = add(sum, point{x, y})
		}
	}
	return sum.x.Sign() == 0 && sum.y.Cmp(big.NewInt(1)) == 0
}

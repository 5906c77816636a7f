package jwks

import (
	"crypto/rand"
	"crypto/rsa"
	"math"
	"math/big"
	"testing"
)

// A modulus of the form that can be factored is found, and no other one.
func TestFactorable(t *testing.T) {
	product := big.NewInt(1)
	possible := 1.0 // the share of moduli that have the form by chance
	for prime := int64(3); prime <= 167; prime += 2 {
		if !big.NewInt(prime).ProbablyPrime(10) {
			continue
		}
		product.Mul(product, big.NewInt(prime))
		order := int64(1)
		for power := 65537 % prime; power != 1; power = power * 65537 % prime {
			order++
		}
		possible *= float64(order) / float64(prime)
	}
	t.Logf("by chance: 2^%.0f", math.Log2(possible))
	for range 20 {
		random, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2047-uint(product.BitLen())))
		if err != nil {
			t.Fatal(err)
		}
		power := new(big.Int).Exp(big.NewInt(65537), random, product)
		n := power.Add(power, new(big.Int).Mul(random, product))
		if !factorable(&rsa.PublicKey{N: n, E: 65537}) {
			t.Errorf("%x is not found", n)
		}
		if factorable(&rsa.PublicKey{N: n.Add(n, big.NewInt(2)), E: 65537}) {
			t.Errorf("%x is of another form", n)
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if factorable(&key.PublicKey) {
		t.Error("a new key is found")
	}
}

package dpop_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/verifier/dpop"
)

// A key that is remembered gives the same answers as one that is read: nothing else of a proof is taken on trust.
func TestKnownKeys(t *testing.T) {
	keys := dpop.NewKeys()
	for _, c := range []client{ecClient(), edClient(), rsaClient()} {
		segments := strings.Split(c.good(), ".")
		for _, row := range []struct {
			name, proof string
			want        error
		}{
			{"good", c.good(), nil},
			{"good, again", c.good(), nil},
			{"a jti of its own", c.sign(c.header(), replaced(t, claims, "id-1", "id-2")), nil},
			{"forged", segments[0] + "." + encode(replaced(t, claims, "id-1", "id-2")) + "." + segments[2], dpop.ErrSignature},
			{"of another key", otherClient().sign(c.header(), claims), dpop.ErrSignature},
			{"another typ", c.sign(replaced(t, c.header(), "dpop+jwt", "at+jwt"), claims), dpop.ErrType},
			{"another alg", c.sign(replaced(t, c.header(), `"alg":"`+c.alg, `"alg":"none`), claims), dpop.ErrAlgorithm},
			{"an alg of another type of key", c.sign(replaced(t, c.header(), `"alg":"`+c.alg, `"alg":"`+otherAlgorithm(c.alg)), claims), dpop.ErrKey},
			{"another method", c.sign(c.header(), replaced(t, claims, "POST", "GET")), dpop.ErrMethod},
			{"private", c.sign(replaced(t, c.header(), `"kty"`, `"d":"AAAA","kty"`), claims), dpop.ErrPrivateKey},
		} {
			for range 2 {
				proof, err := keys.Check([]string{row.proof}, method, target)
				if !errors.Is(err, row.want) || (err == nil && proof.Thumbprint != c.thumbprint()) {
					t.Errorf("%s: %s: %+v, %v, want %v", c.alg, row.name, proof, err, row.want)
				}
			}
		}
	}
}

func otherAlgorithm(alg string) string {
	if alg == "ES256" {
		return "EdDSA"
	}
	return "ES256"
}

// A key is remembered once a proof of it was good, and costs no memory again.
func TestKnownKeysCostNoMemory(t *testing.T) {
	keys, proof := dpop.NewKeys(), []string{ecClient().good()}
	check := func() {
		if _, err := keys.Check(proof, method, target); err != nil {
			t.Fatal(err)
		}
	}
	check()
	known := testing.AllocsPerRun(100, check)
	read := testing.AllocsPerRun(100, func() { _, _ = dpop.Check(proof, method, target) })
	if known > read-8 {
		t.Errorf("a proof of a known key takes %v allocations, of an unknown one %v", known, read)
	}
	fresh := dpop.NewKeys()
	forged := []string{otherClient().sign(ecClient().header(), claims)}
	refused := testing.AllocsPerRun(100, func() { _, _ = fresh.Check(forged, method, target) })
	if again := testing.AllocsPerRun(100, func() { _, _ = dpop.Check(forged, method, target) }); refused < again {
		t.Errorf("the key of a forged proof is remembered: %v allocations, %v without a memory", refused, again)
	}
}

// Many clients at once, more than are remembered.
func TestKnownKeysAtOnce(t *testing.T) {
	keys := dpop.NewKeys()
	clients := []client{ecClient(), edClient(), otherClient()}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for n := range 90 {
				c := clients[n%3]
				if proof, err := keys.Check([]string{c.good()}, method, target); err != nil || proof.Thumbprint != c.thumbprint() {
					t.Errorf("%+v, %v", proof, err)
				}
			}
		})
	}
	group.Wait()
}

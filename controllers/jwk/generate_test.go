package jwk_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jws"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// The API, the key types of the planner and the tombstones agree with the table of algorithms, which they cannot
// import.
func TestEveryAlgorithm(t *testing.T) {
	api := []keywrightv1alpha1.Algorithm{
		keywrightv1alpha1.ES256, keywrightv1alpha1.ES384, keywrightv1alpha1.ES512, keywrightv1alpha1.EdDSA, keywrightv1alpha1.RS256,
		keywrightv1alpha1.RS384, keywrightv1alpha1.RS512,
	}
	if len(api) != len(jws.Algorithms()) {
		t.Errorf("the API has %v, and the table %v", api, jws.Names())
	}
	for _, a := range jws.Algorithms() {
		if !slices.Contains(api, keywrightv1alpha1.Algorithm(a.Name)) {
			t.Errorf("the API has no %s", a.Name)
		}
		spec := rotation.KeySpec{Algorithm: a.Name}
		if a.KeyType == jws.RSA {
			spec.RSAKeySize = 2048
		}
		if spec.Type() != a.KeyType {
			t.Errorf("%s: the planner says %s, and the table %s", a.Name, spec.Type(), a.KeyType)
		}
		made, err := jwk.Generate(spec)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := jwk.Parse(made.Private); err != nil || parsed.KeySpec != spec || parsed.ID != made.ID {
			t.Errorf("%s: %+v is read back as %+v: %v", a.Name, spec, parsed.KeySpec, err)
		}
		type key struct{ Kty, Alg string }
		var public key
		var tombstone struct{ Keys []key }
		if err := json.Unmarshal(made.Public, &public); err != nil || public != (key{a.KeyType, a.Name}) {
			t.Errorf("%s: the public key is %s: %v", a.Name, made.Public, err)
		}
		if err := json.Unmarshal(issuerfiles.Tombstone(a.Name), &tombstone); err != nil || len(tombstone.Keys) != 1 || tombstone.Keys[0] != public {
			t.Errorf("%s: its tombstone is %+v: %v", a.Name, tombstone, err)
		}
	}
}

// One thumbprint in 64 begins with a dash.
func TestNoKeyIDLooksLikeAFlag(t *testing.T) {
	for range 1000 {
		made, err := jwk.Generate(rotation.KeySpec{Algorithm: string(keywrightv1alpha1.EdDSA)})
		if err != nil || strings.HasPrefix(made.ID, "-") {
			t.Fatalf("%q %v", made.ID, err)
		}
	}
}

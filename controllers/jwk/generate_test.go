package jwk_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jws"
	"github.com/keywright/keywright/config/crd"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/token"
	"github.com/keywright/keywright/verifier"
)

// Each part that has algorithms of its own agrees with the table: the CRD, the planner, the tombstones, and the verifier, which verifies what
// the issuer signs.
func TestEveryAlgorithm(t *testing.T) {
	if names, api := slices.Sorted(slices.Values(jws.Names())), algorithmsOfCRD(t); !slices.Equal(names, api) {
		t.Errorf("the CRD has %v, and the table %v", api, names)
	}
	for _, a := range jws.Algorithms() {
		t.Run(a.Name, func(t *testing.T) {
			spec := rotation.KeySpec{Algorithm: a.Name}
			if a.KeyType == jws.RSA {
				spec.RSAKeySize = 2048
			}
			if spec.Type() != a.KeyType {
				t.Errorf("the planner says %s, and the table %s", spec.Type(), a.KeyType)
			}
			made, err := jwk.Generate(spec)
			if err != nil {
				t.Fatal(err)
			}
			if parsed, err := jwk.Parse(made.Private); err != nil || parsed.KeySpec != spec || parsed.ID != made.ID {
				t.Errorf("%+v is read back as %+v: %v", spec, parsed.KeySpec, err)
			}
			type key struct{ Kty, Alg string }
			var public key
			var tombstone struct{ Keys []key }
			if err := json.Unmarshal(made.Public, &public); err != nil || public != (key{a.KeyType, a.Name}) {
				t.Errorf("the public key is %s: %v", made.Public, err)
			}
			if err := json.Unmarshal(issuerfiles.Tombstone(a.Name), &tombstone); err != nil || len(tombstone.Keys) != 1 || tombstone.Keys[0] != public {
				t.Errorf("its tombstone is %+v: %v", tombstone, err)
			}
			signAndVerify(t, a.Name, made)
		})
	}
}

// algorithmsOfCRD returns the algorithms that the API server accepts in a SigningKey, sorted.
func algorithmsOfCRD(t *testing.T) []string {
	t.Helper()
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(crd.SigningKeys, &definition); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, name := range definition.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["algorithm"].Enum {
		names = append(names, strings.Trim(string(name.Raw), `"`))
	}
	slices.Sort(names)
	return names
}

// signAndVerify signs a token as the issuer does, from the files of the controller, and verifies it with the verifier.
func signAndVerify(t *testing.T, algorithm string, made rotation.Material) {
	t.Helper()
	const issuer, audience = "https://issuer.example.com", "https://shop.example.com"
	snapshot, err := keys.Parse(issuerfiles.Files{
		Active: issuerfiles.PrivateJWK(made.Private), KeySet: issuerfiles.EncodeKeySet(algorithm, []issuerfiles.PublicKey{{ID: made.ID, JWK: made.Public}}),
		Policy: issuerfiles.Policy{SigningKey: "main", Algorithm: algorithm, MaxLifetime: time.Hour, ClockSkew: time.Minute},
	}, issuerfiles.Revoked{})
	if err != nil {
		t.Fatal(err)
	}
	claims := token.Claims{
		Issuer: issuer, Subject: "alice", Audience: []string{audience}, ClientID: "web", ID: "1", IssuedAt: time.Now(), Lifetime: time.Hour,
	}
	payload, err := claims.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	compact, err := snapshot.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "main.json")
	if err := os.WriteFile(file, snapshot.JWKS, 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{issuer: verifier.File(file)}, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if verified, err := v.Verify(t.Context(), compact); err != nil || verified.Subject() != "alice" {
		t.Errorf("the verifier refuses what the issuer signs: %v", err)
	}
}

// One thumbprint in 64 begins with a dash.
func TestNoKeyIDLooksLikeAFlag(t *testing.T) {
	for range 1000 {
		made, err := jwk.Generate(rotation.KeySpec{Algorithm: "EdDSA"})
		if err != nil || strings.HasPrefix(made.ID, "-") {
			t.Fatalf("%q %v", made.ID, err)
		}
	}
}

package dpop_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/dpop"
)

func quote(text string) ([]byte, error) { return json.Marshal(text) }

// FuzzCheck gives Check a proof as it is, and a header and claims that are signed first, so that the engine also gets behind the
// signature. What we accept, go-jose must verify with the key in the header, and its thumbprint must be the one that we found.
func FuzzCheck(f *testing.F) {
	for _, c := range []client{ecClient(), edClient()} {
		f.Add(c.good(), c.header(), claims)
	}
	f.Add("..", `{"typ":"dpop+jwt","alg":"none","jwk":{}}`, `{"jti":"","htm":1,"htu":[],"iat":1e400}`)
	f.Add("a.b.c", `{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}`, claims)
	f.Add("", `{"alg":"EdDSA","jwk":`+edClient().jwk()+`,"crit":["b64"],"b64":false,"typ":"DPOP+jwt"}`, "null")
	keys := dpop.NewKeys()
	for _, c := range []client{ecClient(), edClient()} {
		if _, err := keys.Check([]string{c.good()}, method, target); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, foreign, header, claims string) {
		for _, proof := range []string{foreign, ecClient().sign(header, claims), edClient().sign(header, claims)} {
			checked, err := dpop.Check([]string{proof}, method, target)
			known, knownError := keys.Check([]string{proof}, method, target)
			if diff := cmp.Diff(checked, known); diff != "" || (err == nil) != (knownError == nil) {
				t.Fatalf("with known keys: %v, %v (-without +with):\n%s", err, knownError, diff)
			}
			if err != nil {
				continue
			}
			parsed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256})
			if err != nil {
				if isEd25519(header) {
					continue // go-jose does not know the name Ed25519
				}
				t.Fatalf("go-jose does not parse %s: %v", proof, err)
			}
			key := parsed.Signatures[0].Header.JSONWebKey
			if key == nil || !key.IsPublic() {
				t.Fatalf("go-jose finds no public key in %s", proof)
			}
			payload, err := parsed.Verify(key)
			if err != nil {
				t.Fatalf("go-jose does not verify %s: %v", proof, err)
			}
			var read struct{ JTI, HTM string }
			if err := json.Unmarshal(payload, &read); err != nil || read.JTI != checked.ID || read.HTM != method {
				t.Errorf("others read %+v (%v) in %s", read, err, proof)
			}
			if digest := must(key.Thumbprint(crypto.SHA256)); base64.RawURLEncoding.EncodeToString(digest) != checked.Thumbprint {
				t.Errorf("go-jose finds another thumbprint in %s", proof)
			}
		}
	})
}

func isEd25519(header string) bool {
	var read struct {
		Alg string `json:"alg"`
	}
	return json.Unmarshal([]byte(header), &read) == nil && read.Alg == "Ed25519"
}

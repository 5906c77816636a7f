package server_test

import (
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier"
)

func needEncryption(t *testing.T) {
	t.Helper()
	if fips140.Enforced() {
		t.Skip("GODEBUG=fips140=only: encryption is refused at the start, as TestEncryptionInFIPSMode asserts")
	}
}

// An audience that registered a key gets its tokens signed, and then encrypted for it.
func TestTokensAreEncryptedForTheirAudience(t *testing.T) {
	needEncryption(t)
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for alg, private := range map[jose.KeyAlgorithm]crypto.Signer{jose.ECDH_ES_A256KW: newKey(t), jose.RSA_OAEP_256: large} {
		t.Run(string(alg), func(t *testing.T) {
			w := prepare(t)
			public, err := (&jose.JSONWebKey{Key: private.Public(), Algorithm: string(alg), Use: "enc", KeyID: "shop-1"}).MarshalJSON()
			w.must(err)
			w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "  audiences: ["+audience+"]",
				"  audiences: ["+audience+", https://open.example.com]\n  encryption: [{audience: \""+audience+"\", key: "+string(public)+"}]", 1)})
			w.useKey("ES256", newKey(t))
			w.start()
			r := w.post(alice("resource", audience))
			if r.status != http.StatusOK {
				t.Fatalf("%d %s", r.status, r.body)
			}
			nested, _ := r.fields["access_token"].(string)
			if strings.Count(nested, ".") != 4 {
				t.Fatalf("it is not encrypted: %s", nested)
			}
			opened, err := jose.ParseEncryptedCompact(nested, []jose.KeyAlgorithm{alg}, []jose.ContentEncryption{jose.A256GCM})
			w.must(err)
			if opened.Header.KeyID != "shop-1" || opened.Header.ExtraHeaders["cty"] != "JWT" || opened.Header.ExtraHeaders["zip"] != nil {
				t.Errorf("header %+v", opened.Header)
			}
			inner, err := opened.Decrypt(private)
			w.must(err)
			if token := w.verify(string(inner), audience); token.Subject() != "8a2f" || w.keyIDOf(string(inner)) == "" {
				t.Errorf("inside is %s", inner)
			}
			if token := w.opened(nested, jose.JSONWebKey{Key: private, Algorithm: string(alg), Use: "enc", KeyID: "shop-1"}); token.Subject() != "8a2f" {
				t.Errorf("the verifier reads the sub %s", token.Subject())
			}
			if r := w.post(alice("resource", "https://open.example.com")); strings.Count(r.fields["access_token"].(string), ".") != 2 {
				t.Errorf("a token for another audience: %s", r.body)
			}
			if r := w.post(alice()); r.fields["error"] != "invalid_target" {
				t.Errorf("for both, of which one cannot read it: %d %s", r.status, r.body)
			}
			if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)); r.status != http.StatusOK {
				t.Errorf("another client: %d %s", r.status, r.body)
			}
		})
	}
}

// opened is a token that the verifier decrypted with a key, and verified.
func (w *world) opened(nested string, key jose.JSONWebKey) *verifier.Token {
	w.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	w.must(err)
	keys, err := verifier.ParseDecryptionKeys(text)
	w.must(err)
	file := filepath.Join(w.TempDir(), "platform.json")
	w.must(os.WriteFile(file, []byte(w.jwks), 0o600))
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{issuerURL: verifier.File(file)}, Audience: audience, DecryptionKeys: keys,
	})
	w.must(err)
	w.Cleanup(v.Close)
	token, err := v.Verify(w.Context(), nested)
	w.must(err)
	return token
}

// A client that registered a key gets all its tokens encrypted for it, also those for several audiences; others do not.
func TestTokensAreEncryptedForTheirClient(t *testing.T) {
	t.Parallel()
	needEncryption(t)
	w := prepare(t)
	key := jose.JSONWebKey{Key: newKey(t), Algorithm: string(jose.ECDH_ES_A256KW), Use: "enc", KeyID: "gateway-1"}
	public := key.Public()
	text, err := public.MarshalJSON()
	w.must(err)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + "- {id: gateway, secretSHA256: " + hexDigest(secret) +
		", grantTypes: [client_credentials], audiences: [" + audience + ", https://open.example.com], encryptionKey: " + string(text) + "}\n"})
	w.useKey("ES256", newKey(t))
	w.start()
	for _, more := range [][]string{nil, {"resource", audience}} {
		r := w.post(form(append([]string{"grant_type", "client_credentials", "client_id", "gateway", "client_secret", secret}, more...)...))
		nested, _ := r.fields["access_token"].(string)
		if strings.Count(nested, ".") != 4 {
			t.Fatalf("it is not encrypted: %d %s", r.status, r.body)
		}
		if token := w.opened(nested, key); token.Subject() != "client:gateway" {
			t.Errorf("it is for %s", token.Subject())
		}
	}
	if r := w.post(alice()); strings.Count(r.fields["access_token"].(string), ".") != 2 {
		t.Errorf("a token of another client: %s", r.body)
	}
}

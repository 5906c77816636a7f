package fast

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The version of Wycheproof. Its hash is in the checksum database that the go command asks.
const wycheproof = "github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a"

// vectors are a file of Wycheproof, as far as it is read.
type vectors struct {
	TestGroups []struct {
		PublicKey struct{ Uncompressed, PK string }
		Tests     []struct {
			ID                        int `json:"tcId"`
			Comment, Msg, Sig, Result string
		}
	}
}

// readVectors reads a file of Wycheproof from the module cache, or skips the test. The module is downloaded once; nothing of it is
// copied.
func readVectors(t *testing.T, name string) vectors {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", wycheproof).Output()
	if err != nil {
		if os.Getenv("REQUIRE_WYCHEPROOF") != "" {
			t.Fatalf("%s: %v\n%s", wycheproof, err, out)
		}
		t.Skipf("%s cannot be had: %v", wycheproof, err)
	}
	var module struct{ Dir string }
	var read vectors
	must(0, json.Unmarshal(out, &module))
	must(0, json.Unmarshal(must(os.ReadFile(filepath.Join(module.Dir, "testvectors_v1", name))), &read))
	return read
}

func TestWycheproofES256(t *testing.T) {
	tried := 0
	for _, group := range readVectors(t, "ecdsa_secp256r1_sha256_p1363_test.json").TestGroups {
		public := must(ecdsa.ParseUncompressedPublicKey(elliptic.P256(), must(hex.DecodeString(group.PublicKey.Uncompressed))))
		pair := &p256Pair{new(big.Int), public, newP256Key(public)}
		for _, c := range group.Tests {
			signature := must(hex.DecodeString(c.Sig))
			if len(signature) != 64 {
				continue // refused by the verifier
			}
			tried++
			digest := sha256.Sum256(must(hex.DecodeString(c.Msg)))
			if got := pair.agree(t, c.Comment, digest, [64]byte(signature)); got != (c.Result == "valid") {
				t.Errorf("%d: %s: accepted is %v", c.ID, c.Comment, got)
			}
		}
	}
	t.Logf("%d vectors", tried)
	if tried < 240 {
		t.Errorf("only %d vectors were tried", tried)
	}
}

func TestWycheproofEdDSA(t *testing.T) {
	tried := 0
	for _, group := range readVectors(t, "ed25519_test.json").TestGroups {
		pair := newEdwardsPair(ed25519.PublicKey(must(hex.DecodeString(group.PublicKey.PK))))
		for _, c := range group.Tests {
			signature := must(hex.DecodeString(c.Sig))
			if len(signature) != 64 {
				continue // refused by the verifier
			}
			tried++
			if got := pair.agree(t, c.Comment, string(must(hex.DecodeString(c.Msg))), [64]byte(signature)); got != (c.Result == "valid") {
				t.Errorf("%d: %s: accepted is %v", c.ID, c.Comment, got)
			}
		}
	}
	t.Logf("%d vectors", tried)
	if tried < 120 {
		t.Errorf("only %d vectors were tried", tried)
	}
}

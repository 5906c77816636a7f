package issuerfiles_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

var update = flag.Bool("update", false, "write the vectors anew")

const (
	kid      = "aRJJyN5jP4ZEDQ2tQOKzrFeBlk5ZOKqe2oBnhEv7kks"
	public   = `{"use":"sig","kty":"EC","kid":"` + kid + `","crv":"P-256","alg":"ES256","x":"AA","y":"AA"}`
	private  = `{"use":"sig","kty":"EC","kid":"` + kid + `","crv":"P-256","alg":"ES256","x":"AA","y":"AA","d":"AA"}`
	otherKid = "zZ6VQxLaw1VhLh7wE8K5kJPfXnK1yUO3rXQ6r0C0d1E"
)

// states are the files of a SigningKey in each state that it can be in.
func states() map[string]issuerfiles.Files {
	policy := issuerfiles.Policy{SigningKey: "main", Algorithm: "ES256", MaxLifetime: time.Hour, ClockSkew: time.Minute}
	signing := policy
	signing.NextRotation = time.Date(2026, 12, 25, 14, 22, 41, 0, time.UTC)
	keys := issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: kid, JWK: json.RawMessage(public)}})
	return map[string]issuerfiles.Files{
		"active":                      {Active: []byte(private), KeySet: keys, Policy: signing},
		"starting":                    {KeySet: keys, Policy: policy},
		"draining":                    {KeySet: keys, Policy: policy},
		"ended":                       {KeySet: issuerfiles.Tombstone("ES256"), Policy: policy},
		"revoked-without-a-successor": {KeySet: issuerfiles.Tombstone("ES256"), Policy: policy, Revoked: issuerfiles.Revoked{KeyIDs: []string{kid}}},
		"restored":                    {Active: []byte(private), KeySet: keys, Policy: signing, Revoked: issuerfiles.Revoked{KeyIDs: []string{otherKid}}},
	}
}

// The vectors are the format: one file for each state, its entries by name.
func TestVectors(t *testing.T) {
	for name, files := range states() {
		data, err := files.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, entry := range []string{"active.jwk", "jwks.json", "policy.json", "revoked"} {
			if content, ok := data[entry]; ok {
				text.WriteString(entry + "\n" + string(content) + "\n")
			}
			delete(data, entry)
		}
		if len(data) != 0 {
			t.Errorf("%s: an entry without a place: %v", name, data)
		}
		path := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := text.String(); got != string(want) {
			t.Errorf("%s is encoded as\n%s\nand was\n%s", name, got, want)
		}
	}
}

// What is encoded is decoded again, whole.
func TestRoundTrip(t *testing.T) {
	for name, files := range states() {
		data, err := files.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := issuerfiles.Decode(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got.Revoked.KeyIDs) == 0 {
			got.Revoked.KeyIDs = nil
		}
		if !reflect.DeepEqual(got, files) {
			t.Errorf("%s: got %+v, want %+v", name, got, files)
		}
	}
}

func TestFilesOfAnOlderController(t *testing.T) {
	data, err := states()["active"].Encode()
	if err != nil {
		t.Fatal(err)
	}
	delete(data, "revoked")
	if files, err := issuerfiles.Decode(data); err != nil || len(files.Revoked.KeyIDs) != 0 {
		t.Errorf("%v %v", files.Revoked, err)
	}
}

func TestBadFilesAreErrorsWithoutTheirContent(t *testing.T) {
	const canary = "canary"
	for entry, contents := range map[string][]string{
		"policy.json": {
			"", canary, `[]`, `{}`, `{"algorithm":"ES256"}`, `{"algorithm":{"canary":1},"maxLifetimeSeconds":60}`, `{"algorithm":"ES256","maxLifetimeSeconds":0}`,
			`{"algorithm":"ES256","maxLifetimeSeconds":86401}`, `{"algorithm":"ES256","maxLifetimeSeconds":60,"clockSkewSeconds":-1}`,
			`{"algorithm":"ES256","maxLifetimeSeconds":60,"clockSkewSeconds":3601}`, `{"algorithm":"ES256","maxLifetimeSeconds":60,"nextRotationTime":"canary"}`,
			`{"algorithm":"ES256","maxLifetimeSeconds":1e3000}`,
		},
		"revoked": {canary, `{"version":2,"keyIDs":["canary"]}`, `{"version":1,"keyIDs":"canary"}`, `[]`, `{"keyIDs":[]}`},
	} {
		for _, content := range contents {
			data, err := states()["active"].Encode()
			if err != nil {
				t.Fatal(err)
			}
			data[entry] = []byte(content)
			if _, err := issuerfiles.Decode(data); err == nil || !strings.Contains(err.Error(), entry) || strings.Contains(err.Error(), canary) {
				t.Errorf("%s %q: %v", entry, content, err)
			}
		}
	}
}

func TestWithout(t *testing.T) {
	other := issuerfiles.PublicKey{ID: otherKid, JWK: json.RawMessage(`{"kid":"` + otherKid + `"}`)}
	one := issuerfiles.PublicKey{ID: kid, JWK: json.RawMessage(public)}
	both := issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{other, one})
	if reversed := issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{one, other}); !bytes.Equal(both, reversed) {
		t.Error("equal sets are other bytes")
	}
	left, changed := issuerfiles.Without(both, []string{otherKid})
	if want := issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{one}); !changed || !bytes.Equal(left, want) {
		t.Errorf("%s", left)
	}
	if none, changed := issuerfiles.Without(left, []string{kid}); !changed || !bytes.Equal(none, issuerfiles.Tombstone("ES256")) {
		t.Errorf("%s", none)
	}
	if same, changed := issuerfiles.Without(both, []string{"else"}); changed || !bytes.Equal(same, both) {
		t.Errorf("%s", same)
	}
	if same, changed := issuerfiles.Without([]byte("x"), []string{kid}); changed || string(same) != "x" {
		t.Errorf("%s", same)
	}
}

func TestPrivateKeyDoesNotPrint(t *testing.T) {
	files := states()["active"]
	if text := fmt.Sprintf("%v %+v %s", files, files, files); strings.Contains(text, `"d"`) {
		t.Error(text)
	}
}

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
	sessions := signing
	sessions.MaxRefreshLifetime, sessions.MaxSessionLifetime = 12*time.Hour, 720*time.Hour
	keys := issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: kid, JWK: json.RawMessage(public)}})
	return map[string]issuerfiles.Files{
		"active":                      {Active: []byte(private), KeySet: keys, Policy: signing},
		"starting":                    {KeySet: keys, Policy: policy},
		"draining":                    {KeySet: keys, Policy: policy},
		"ended":                       {KeySet: issuerfiles.Tombstone("ES256"), Policy: policy},
		"revoked-without-a-successor": {KeySet: issuerfiles.Tombstone("ES256"), Policy: policy, Revoked: issuerfiles.Revoked{KeyIDs: []string{kid}}},
		"ended-early": {Active: []byte(private), KeySet: keys, Policy: signing, Revoked: issuerfiles.Revoked{
			AllBefore: time.Unix(1_795_600_000, 0).UTC(), ClockSkew: time.Minute, Ended: map[string]time.Time{
				issuerfiles.Digest("jti", "01J"):       time.Unix(1_795_700_000, 0).UTC(),
				issuerfiles.Digest("sid", "01J"):       time.Unix(1_795_700_000, 0).UTC(),
				issuerfiles.Digest("sub", "alice"):     time.Unix(1_795_650_000, 0).UTC(),
				issuerfiles.Digest("client_id", "web"): time.Unix(1_795_640_000, 0).UTC(),
			},
		}},
		"sessions": {Active: []byte(private), KeySet: keys, Policy: sessions, Sealing: issuerfiles.SealingKeys{
			{Number: 1_795_600_000, Secret: make([]byte, issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(1_795_600_000, 0).UTC(), UsedAt: time.Unix(1_795_600_000, 0).UTC(), MaxRefreshLifetime: 12 * time.Hour},
			{Number: 1_795_700_000, Secret: make([]byte, issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(1_795_700_000, 0).UTC()},
		}},
		"restored": {Active: []byte(private), KeySet: keys, Policy: signing, Revoked: issuerfiles.Revoked{KeyIDs: []string{otherKid}}},
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
		for _, entry := range []string{"active.jwk", "jwks.json", "policy.json", "revoked", "sealing.json"} {
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
		"revoked": {
			canary, `{"version":2,"keyIDs":["canary"]}`, `{"version":1,"keyIDs":"canary"}`, `[]`, `{"keyIDs":[]}`,
			`{"version":1,"ended":["canary"]}`, `{"version":1,"ended":{"canary":1}}`, `{"version":1,"ended":{"canarycanarycanarycanar":0}}`,
			`{"version":1,"ended":{"canarycanarycanarycana":0}}`, `{"version":1,"ended":{"canarycanarycanarycana":"1"}}`,
			`{"version":1,"clockSkewSeconds":-1}`, `{"version":1,"clockSkewSeconds":3601}`, `{"version":1,"allBefore":-1}`,
		},
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
	secret := bytes.Repeat([]byte("s"), issuerfiles.SealingSecretBytes)
	files.Sealing = issuerfiles.SealingKeys{{Number: 1, Secret: secret}}
	if text := fmt.Sprintf("%v %+v %#v %x", files, files, files.Sealing, files.Sealing[0].Secret); strings.Contains(text, `"d"`) ||
		strings.Contains(text, "sss") || strings.Contains(text, "7373") || strings.Contains(text, "115, 115") {
		t.Error(text)
	}
}

// Sealing keys come back as they were written, and what is out of bounds or out of order is no list of them.
func TestSealingKeys(t *testing.T) {
	one := issuerfiles.SealingKey{Number: 1, Secret: bytes.Repeat([]byte("s"), issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(1, 0).UTC(), UsedAt: time.Unix(2, 0).UTC(), MaxRefreshLifetime: time.Hour}
	next := issuerfiles.SealingKey{Number: 2, Secret: bytes.Repeat([]byte("t"), issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(3, 0).UTC()}
	keys := issuerfiles.SealingKeys{one, next}
	read, err := issuerfiles.DecodeSealing(keys.Encode())
	if err != nil || !reflect.DeepEqual(read, keys) {
		t.Errorf("%+v, %v", read, err)
	}
	if used, ok := read.InUse(); !ok || used.Number != 1 || read.Newest() != 2 {
		t.Errorf("%d is in use, %d is the newest", used.Number, read.Newest())
	}
	if _, ok := (issuerfiles.SealingKeys{next}).InUse(); ok {
		t.Error("a key that waits is in use")
	}
	good := string(keys.Encode())
	for name, bad := range map[string]string{
		"no JSON":         "{",
		"another version": strings.Replace(good, `"version":1`, `"version":2`, 1),
		"a short secret":  strings.Replace(good, `"secret":"c3Nz`, `"secret":"`, 1),
		"no secret":       strings.Replace(good, `"secret"`, `"other"`, 1),
		"out of order":    strings.Replace(good, `"number":2`, `"number":1`, 1),
		"number zero":     strings.Replace(good, `"number":1`, `"number":0`, 1),
		"a long lifetime": strings.Replace(good, `"maxRefreshLifetimeSeconds":3600`, `"maxRefreshLifetimeSeconds":2592001`, 1),
		"something after": good + "{}",
		"too many":        `{"version":1,"keys":[` + strings.Repeat(`{},`, 64) + `{}]}`,
	} {
		if _, err := issuerfiles.DecodeSealing([]byte(bad)); err == nil || strings.Contains(err.Error(), "c3Nz") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A token is ended by one of its values, up to the clock skew after the time that is listed.
func TestEnds(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	list := issuerfiles.Revoked{ClockSkew: time.Minute, AllBefore: at(1000), Ended: map[string]time.Time{
		issuerfiles.Digest("sub", "alice"): at(5000), issuerfiles.Digest("jti", "one"): at(9000),
	}}
	for name, c := range map[string]struct {
		time   int64
		claims map[string]string
		want   bool
	}{
		"the subject, before":               {4999, map[string]string{"sub": "alice"}, true},
		"the subject, within the skew":      {5060, map[string]string{"sub": "alice"}, true},
		"the subject, after it":             {5061, map[string]string{"sub": "alice"}, false},
		"another subject":                   {4999, map[string]string{"sub": "bob"}, false},
		"a subject in another case":         {4999, map[string]string{"sub": "Alice"}, false},
		"a client of the name of a subject": {4999, map[string]string{"client_id": "alice"}, false},
		"the token":                         {8999, map[string]string{"sub": "bob", "jti": "one"}, true},
		"another token":                     {8999, map[string]string{"sub": "bob", "jti": "two"}, false},
		"no value":                          {4999, map[string]string{"sub": "", "jti": ""}, false},
		"everything":                        {1060, map[string]string{"sub": "bob"}, true},
		"no time":                           {0, map[string]string{"sub": "bob"}, true},
	} {
		if got := list.Ends(at(c.time), c.claims); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (issuerfiles.Revoked{ClockSkew: time.Hour}).Ends(at(0), map[string]string{"sub": "alice"}) {
		t.Error("an empty list ends something")
	}
}

// An error of policy.json says what is wrong, and quotes nothing of the file.
func TestPolicyErrors(t *testing.T) {
	for in, want := range map[string]string{
		`["secret"]`: "is not a valid JSON object", `{"algorithm":"secret`: "is not a valid JSON object", `{"algorithm":7}`: "algorithm has a value of the wrong type", `{}`: "algorithm is missing",
	} {
		if _, err := issuerfiles.DecodePolicy([]byte(in)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", in, err, want)
		}
	}
}

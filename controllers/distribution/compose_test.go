package distribution

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

func TestFileThatDoesNotFitIsOmitted(t *testing.T) {
	large := strings.Repeat("x", maxBytes/2-14)
	selected := func(text string) desired.Projection {
		return desired.Projection{Files: desired.Files{KeySet: text, Revoked: "{}"}, Selector: labels.Everything()}
	}
	standing := &corev1.ConfigMap{Data: map[string]string{"b.json": large, "c.json": large}}
	projections := map[string]desired.Projection{
		"a": selected("small"), "b": selected(large), "c": selected(large + "z"), "d": selected(strings.Repeat("y", 30)),
	}
	got := compose(time.Now(), target{cm: standing}, projections)
	if files := slices.Sorted(maps.Keys(got.data)); !slices.Equal(files, []string{"a.json", "a.revoked", "b.json", "b.revoked", "c.json", "c.revoked"}) {
		t.Errorf("the files are %v", files)
	}
	if !slices.Equal(got.leftOut, []string{"d.json"}) || len(got.records) != 3 || got.data["c.json"] != large+"z" {
		t.Errorf("left out are %v, recorded are %v", got.leftOut, got.records)
	}
	standing.Data["d.json"] = ""
	if got := compose(time.Now(), target{cm: standing}, projections); !slices.Equal(got.leftOut, []string{"a.json"}) {
		t.Errorf("of those that do not stand, %v are left out", got.leftOut)
	}
}

// The files of one SigningKey always have room.
func TestLargestKeySetHasRoom(t *testing.T) {
	key, err := jwk.Generate(rotation.KeySpec{Algorithm: "RS256", RSAKeySize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	var ring rotation.Keyring
	for range rotation.MaxKeys {
		ring.Keys = append(ring.Keys, rotation.Key{ID: key.ID, State: rotation.Retired, Public: key.Public})
	}
	if n := len(desired.FilesOf(&ring, rotation.Policy{}, issuerfiles.Revoked{}).KeySet); n < 20<<10 || n > maxBytes/4 {
		t.Errorf("%d keys of 4,096 bits take %d bytes", rotation.MaxKeys, n)
	}
}

// A file is unexpected if no record has its digest, or if the generation of its record is higher than that of the
// keyring. A tombstone may be of the previous SigningKey, whose keyring had other generations.
func TestFilesOfOtherClients(t *testing.T) {
	key, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	keys := string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: key.ID, JWK: key.Public}}))
	tombstone := string(issuerfiles.Tombstone("ES256"))
	for name, c := range map[string]struct {
		stands string
		record *desired.Record
		want   bool
	}{
		"keys of an earlier generation":      {keys, &desired.Record{Generation: 1, Digest: desired.Digest(keys)}, false},
		"keys of a later generation":         {keys, &desired.Record{Generation: 7, Digest: desired.Digest(keys)}, true},
		"keys of another digest":             {keys, &desired.Record{Generation: 1, Digest: "0"}, true},
		"keys without a record":              {keys, nil, true},
		"the tombstone of a SigningKey gone": {tombstone, &desired.Record{Generation: 7, Digest: desired.Digest(tombstone)}, false},
		"a tombstone of another digest":      {tombstone, &desired.Record{Generation: 7, Digest: "0"}, true},
		"a tombstone without a record":       {tombstone, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			cm := &corev1.ConfigMap{Data: map[string]string{"a.json": c.stands}}
			if c.record != nil {
				text, err := desired.EncodeRecords(map[string]desired.Record{"a": *c.record})
				if err != nil {
					t.Fatal(err)
				}
				cm.Annotations = map[string]string{contract.ProjectionsAnnotation: text}
			}
			next := desired.Projection{Files: desired.Files{KeySet: "next"}, Selector: labels.Everything(), Generation: 2}
			got := compose(time.Now(), target{cm: cm}, map[string]desired.Projection{"a": next})
			if slices.Contains(got.unexpected, "a.json") != c.want || got.data["a.json"] != "next" {
				t.Errorf("unexpected are %v, and %q is written", got.unexpected, got.data["a.json"])
			}
		})
	}
}

// A tombstone is not replaced by keys of an old projection: a paused controller may have one of a deleted object, whose
// name another object has now.
func TestEndedTrustIsNotRevivedFromMemory(t *testing.T) {
	now := time.Now()
	tombstone := string(issuerfiles.Tombstone("ES256"))
	text, err := desired.EncodeRecords(map[string]desired.Record{"a": {Foreign: true, Digest: desired.Digest(tombstone), TakenAwayAt: &now}})
	if err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{Data: map[string]string{"a.json": tombstone}}
	cm.Annotations = map[string]string{contract.ProjectionsAnnotation: text}
	for read, want := range map[time.Duration]int{time.Second: 0, time.Minute: 1} {
		projections := map[string]desired.Projection{"a": {
			Foreign: true, Files: desired.Files{KeySet: `{"keys":[{"kid":"k"}]}`}, Selector: labels.Everything(), Generation: 2, Confirmed: now.Add(-read),
		}}
		if got := possiblyStale(now, compose(now, target{cm: cm}, projections), projections); len(got) != want {
			t.Errorf("read %v ago: %v are possibly stale, want %d", read, got, want)
		}
	}
}

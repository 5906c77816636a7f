package publication

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

// A Tracker records when a target last got a key, and nothing before it watched.
func TestTracker(t *testing.T) {
	now := time.Unix(1000, 0)
	jwks := func(ids ...string) *corev1.ConfigMap {
		ring := rotation.Keyring{}
		for _, id := range ids {
			ring.Keys = append(ring.Keys, rotation.Key{ID: id, State: rotation.Active, Public: []byte(`{"kid":"` + id + `"}`)})
		}
		return &corev1.ConfigMap{Data: map[string]string{"main.json": desired.FilesOf(&ring, rotation.Policy{}, issuerfiles.Revoked{}).KeySet}}
	}
	tracker := NewTracker(func() time.Time { return now })
	want := func(id string, seconds int64) {
		t.Helper()
		if got := tracker.HeldSince("main", []string{id})[id]; !got.Equal(time.Unix(seconds, 0)) {
			t.Errorf("%s was given at %v, want %d", id, got.Unix(), seconds)
		}
	}
	want("a", 1000)
	now = now.Add(time.Second)
	tracker.Changed(jwks("a"), jwks("a", "b"))
	want("a", 1000)
	want("b", 1001)
	now = now.Add(time.Second)
	tracker.Changed(jwks("a", "b"), jwks("a"))
	want("b", 1001)
	now = now.Add(time.Second)
	tracker.Changed(jwks("a"), jwks("a", "b"))
	want("b", 1003)
	now = now.Add(time.Second)
	tracker.watching()
	want("a", 1004)
	want("b", 1004)
	now = now.Add(time.Second)
	counted := func(writes int64, ids ...string) *corev1.ConfigMap {
		cm := jwks(ids...)
		cm.Annotations = map[string]string{contract.ProjectionsAnnotation: fmt.Sprintf(`{"main":{"writes":%d}}`, writes)}
		return cm
	}
	tracker.Changed(nil, counted(1, "a", "b"))
	tracker.Changed(counted(4, "a"), counted(4, "a"))
	want("a", 1004)
	want("b", 1004)
	tracker.Changed(counted(4, "a", "b"), counted(6, "a", "b")) // it was edited and restored, which the watch missed
	want("b", 1005)
	now = now.Add(time.Second)
	tracker.Changed(counted(6, "a", "b"), counted(1, "a", "b")) // the records were erased in between
	want("a", 1006)
	now = now.Add(time.Second)
	tracker.Changed(nil, counted(2, "a", "b")) // it was created without one of them
	want("b", 1007)
	now = now.Add(time.Second)
	another := counted(2, "a", "b")
	another.UID = "another"
	tracker.Changed(counted(1, "a", "b"), another) // it was deleted and created again, and written once more
	want("a", 1008)
	now = now.Add(time.Second)
	tracker.Deleted(another) // running pods have it
	tracker.Changed(nil, counted(1, "a", "b"))
	want("a", 1009)
	now = now.Add(time.Second)
	without := counted(1, "a", "b")
	without.Data = nil // another client removed the file and its records
	without.Annotations = nil
	tracker.Changed(counted(1, "a", "b"), without)
	tracker.Changed(without, counted(1, "a", "b"))
	want("a", 1010)
}

// No pod depends on a tombstone of the controller. If another client replaced keys by a tombstone, running pods wait
// for the keys.
func TestTombstoneOfAnotherClientIsALoss(t *testing.T) {
	tombstone := string(issuerfiles.Tombstone("ES256"))
	for _, test := range []struct {
		name, record string
		lost         bool
	}{
		{"ours", `{"main":{"takenAwayAt":"2026-01-01T00:00:00Z"}}`, false},
		{"somebody else's", `{"main":{"writes":3}}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			tracker := NewTracker(time.Now)
			cm := &corev1.ConfigMap{Data: map[string]string{"main.json": tombstone}}
			cm.Namespace, cm.Annotations = "shop", map[string]string{contract.ProjectionsAnnotation: test.record}
			tracker.Deleted(cm)
			if got := tracker.WasLost("main", "shop"); got != test.lost {
				t.Errorf("lost: %v, want %v", got, test.lost)
			}
		})
	}
}

// Proxies that get a key delay its activation like a file, except for the first key.
func TestProxiesChanged(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	keys := func(ids ...string) string {
		var all []issuerfiles.PublicKey
		for _, id := range ids {
			all = append(all, issuerfiles.PublicKey{ID: id, JWK: []byte(`{"kty":"EC","alg":"ES256","kid":"` + id + `"}`)})
		}
		return string(issuerfiles.EncodeKeySet("ES256", all))
	}
	for name, c := range map[string]struct {
		before, after string
		missed        bool
		came          []string
	}{
		"one more":                 {keys("a"), keys("a", "b"), false, []string{"b"}},
		"one less":                 {keys("a", "b"), keys("a"), false, nil},
		"the same":                 {keys("a"), keys("a"), false, nil},
		"the same, after others":   {keys("a"), keys("a"), true, []string{"a"}},
		"the first":                {"", keys("a"), false, nil},
		"one less, after others":   {keys("a", "b"), keys("a"), true, []string{"a"}},
		"the first that was shown": {"", keys("a"), true, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			now := began
			tracker := NewTracker(func() time.Time { return now })
			tracker.HandOver("main", []string{"a", "b"})
			now = began.Add(time.Minute)
			tracker.ProxiesChanged("main", "shop", c.before, c.after, c.missed)
			tracker.ProxiesChanged("nobody", "shop", c.before, c.after, c.missed)
			var came []string
			for _, id := range []string{"a", "b"} {
				if tracker.HeldSince("main", []string{id})[id].Equal(now) {
					came = append(came, id)
				}
			}
			if !slices.Equal(came, c.came) {
				t.Errorf("came %v", came)
			}
			if _, known := tracker.byName["nobody"]; known {
				t.Error("a name that nobody asks for is remembered")
			}
		})
	}
}

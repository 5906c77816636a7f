package controllers

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/rotation"
)

func TestOlderReadDoesNotReplaceNewerWrite(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	s := NewProjections()
	var told int
	s.onChange(func(bool) { told++ })
	s.set("a", projection{generation: 8, confirmed: at(20)})
	s.set("a", projection{generation: 7, confirmed: at(10)}) // read before the write, and handed in late
	if p, _ := s.get("a"); p.generation != 8 || told != 1 {
		t.Errorf("generation %d, told %d times", p.generation, told)
	}
	s.set("a", projection{generation: 7, confirmed: at(30)}) // read later: the keyring was restored
	if p, _ := s.get("a"); p.generation != 7 || told != 2 {
		t.Errorf("generation %d, told %d times", p.generation, told)
	}
	s.set("a", projection{generation: 7, confirmed: at(40)})
	if told != 2 {
		t.Error("being confirmed is no change")
	}
	s.drop("a")
	s.drop("a")
	if _, ok := s.get("a"); ok || told != 3 {
		t.Errorf("dropped: %v, told %d times", ok, told)
	}
}

func TestRevocationsAreUrgent(t *testing.T) {
	s := NewProjections()
	var urgent []bool
	s.onChange(func(u bool) { urgent = append(urgent, u) })
	s.set("a", projection{generation: 1})
	s.set("a", projection{generation: 2})
	s.set("a", projection{generation: 3, revoked: []string{"k"}})
	if len(urgent) != 3 || urgent[0] || urgent[1] || !urgent[2] {
		t.Errorf("urgent: %v", urgent)
	}
}

func TestProjectionNamesWhatIsRevoked(t *testing.T) {
	ring := rotation.Keyring{Generation: 4, Revoked: []rotation.Revocation{{ID: "k"}}}
	if p := newProjection(&ring, rotation.Policy{}, nil, time.Time{}); len(p.revoked) != 1 || p.revoked[0] != "k" || p.generation != 4 {
		t.Errorf("projection %+v", p)
	}
}

// A PublicationTracker says when a target last came to hold a key, and nothing of the time before it watched.
func TestPublicationTracker(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	jwks := func(ids ...string) *corev1.ConfigMap {
		ring := rotation.Keyring{}
		for _, id := range ids {
			ring.Keys = append(ring.Keys, rotation.Key{ID: id, State: rotation.Active, Public: []byte(`{"kid":"` + id + `"}`)})
		}
		return &corev1.ConfigMap{Data: map[string]string{"main.json": filesOf(&ring, rotation.Policy{}, nil).keySet}}
	}
	g := NewPublicationTracker(c.now)
	want := func(id string, seconds int64) {
		t.Helper()
		if got := g.given("main", []string{id})[id]; !got.Equal(time.Unix(seconds, 0)) {
			t.Errorf("%s was given at %v, want %d", id, got.Unix(), seconds)
		}
	}
	want("a", 1000)
	c.step(time.Second)
	g.changed(jwks("a"), jwks("a", "b"))
	want("a", 1000)
	want("b", 1001)
	c.step(time.Second)
	g.changed(jwks("a", "b"), jwks("a"))
	want("b", 1001)
	c.step(time.Second)
	g.changed(jwks("a"), jwks("a", "b"))
	want("b", 1003)
	c.step(time.Second)
	g.watching()
	want("a", 1004)
	want("b", 1004)
	c.step(time.Second)
	counted := func(writes int64, ids ...string) *corev1.ConfigMap {
		cm := jwks(ids...)
		cm.Annotations = map[string]string{contract.ProjectionsAnnotation: fmt.Sprintf(`{"main":{"writes":%d}}`, writes)}
		return cm
	}
	g.changed(nil, counted(1, "a", "b"))
	g.changed(counted(4, "a"), counted(4, "a"))
	want("a", 1004)
	want("b", 1004)
	g.changed(counted(4, "a", "b"), counted(6, "a", "b")) // it was edited and repaired, and the watch showed nothing of it
	want("b", 1005)
	c.step(time.Second)
	g.changed(counted(6, "a", "b"), counted(1, "a", "b")) // the records were erased in between
	want("a", 1006)
	c.step(time.Second)
	g.changed(nil, counted(2, "a", "b")) // it was created without one of them
	want("b", 1007)
	c.step(time.Second)
	another := counted(2, "a", "b")
	another.UID = "another"
	g.changed(counted(1, "a", "b"), another) // it was deleted and created again, and written once more
	want("a", 1008)
	c.step(time.Second)
	g.deleted(another) // running pods have it
	g.changed(nil, counted(1, "a", "b"))
	want("a", 1009)
	c.step(time.Second)
	without := counted(1, "a", "b")
	without.Data = nil // somebody took the file away, and the records with it
	without.Annotations = nil
	g.changed(counted(1, "a", "b"), without)
	g.changed(without, counted(1, "a", "b"))
	want("a", 1010)
}

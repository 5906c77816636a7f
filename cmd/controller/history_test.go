package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
)

// history has every version of the files of one SigningKey, from a watch of the API server: the signing-key
// Secret, and the file of one target. Issuers and verifiers, lagging or not, can have read any of them.
type history struct {
	name, target string
	timeline     timeline
	// requested is set if rotations were requested, and may follow one another as fast as keys become known.
	requested bool
	// slowest is the longest duration of a write, including injected faults.
	slowest time.Duration

	mu      sync.Mutex
	secrets []state
	files   []state
	revoked map[string]time.Time
	// longest is the longest lifetime of the tokens of a key, if it differs from that of the timeline.
	longest map[string]time.Duration
}

// state is the state since a time.
type state struct {
	from time.Time
	// active is the kid of the signing key in the Secret, empty for a file.
	active string
	// published are the kids of the JWKS. exists is false while there is no file.
	published []string
	exists    bool
}

// timeline has the times of a SigningKey.
type timeline struct{ interval, delay, lifetime, skew time.Duration }

// slop is how much later a watch may report one write than another.
const slop = 250 * time.Millisecond

// record watches until the test ends.
func record(t *testing.T, on *cluster, name, target string, times timeline) *history {
	t.Helper()
	h := &history{name: name, target: target, timeline: times, revoked: map[string]time.Time{}, longest: map[string]time.Duration{}}
	c, err := client.NewWithWatch(on.Config, client.Options{Scheme: on.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := c.Watch(t.Context(), &corev1.SecretList{}, client.InNamespace(keyNamespace),
		client.MatchingFields{"metadata.name": name + contract.SigningKeySuffix})
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.Watch(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(target),
		client.MatchingFields{"metadata.name": contract.JWKSConfigMap})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() { h.follow(secrets, &h.secrets) })
	all.Go(func() { h.follow(files, &h.files) })
	t.Cleanup(func() { secrets.Stop(); files.Stop(); all.Wait() })
	return h
}

func (h *history) follow(w watch.Interface, into *[]state) {
	for event := range w.ResultChan() {
		s := state{from: time.Now()}
		switch o := event.Object.(type) {
		case *corev1.Secret:
			s.active, s.published = kidOf(o.Data[contract.ActiveFile]), kidsOf(o.Data[contract.JWKSFile])
			s.exists = event.Type != watch.Deleted
		case *corev1.ConfigMap:
			var content string
			content, s.exists = o.Data[h.name+contract.JWKSSuffix]
			s.exists = s.exists && event.Type != watch.Deleted
			s.published = kidsOf([]byte(content))
			if strings.Contains(content, `"d":`) {
				s.published = append(s.published, "a private key")
			}
		default:
			continue
		}
		h.mu.Lock()
		*into = append(*into, s)
		h.mu.Unlock()
	}
}

func kidOf(jwk []byte) string {
	var k struct{ Kid string }
	_ = json.Unmarshal(jwk, &k)
	return k.Kid
}

func kidsOf(jwks []byte) []string {
	var set struct{ Keys []struct{ Kid string } }
	_ = json.Unmarshal(jwks, &set)
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}

// revoke records that a key is about to be revoked.
func (h *history) revoke(kid string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.revoked[kid] = time.Now()
}

// reign is a time during which a key was the signing key in the Secret.
type reign struct {
	kid      string
	from, to time.Time
}

// reigns returns which key signed at which time. If the Secret is deleted, issuers continue with their files.
func (h *history) reigns(now time.Time) []reign {
	var all []reign
	for _, s := range h.secrets {
		if !s.exists {
			continue
		}
		if n := len(all); n > 0 {
			if all[n-1].kid == s.active {
				continue
			}
			all[n-1].to = s.from
		}
		all = append(all, reign{kid: s.active, from: s.from, to: now})
	}
	return slices.DeleteFunc(all, func(r reign) bool { return r.kid == "" })
}

// rotations counts how often the signing key changed.
func (h *history) rotations() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(0, len(h.reigns(time.Now()))-1)
}

// signs returns the kid of the signing key.
func (h *history) signs() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.secrets); n > 0 {
		return h.secrets[n-1].active
	}
	return ""
}

// published returns the kids in the file of the target.
func (h *history) published() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.files); n > 0 {
		return h.files[n-1].published
	}
	return nil
}

// check asserts the invariants on all recorded states. A key that was in the Secret from a to b can have signed tokens
// from a to b + delay, since issuers lag. Those live for lifetime, and verifiers lag by delay. So the key must have
// been in the file without interruption from a - delay to b + delay + lifetime: then no verifier can have rejected a
// token of any issuer.
func (h *history) check(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	reigns := h.reigns(now)
	signed := map[string]bool{}
	for i, r := range reigns {
		if signed[r.kid] {
			t.Errorf("key %.6s signs a second time", r.kid)
		}
		signed[r.kid] = true
		from, to := r.from.Add(-h.timeline.delay+slop), r.to.Add(h.timeline.delay+max(h.timeline.lifetime, h.longest[r.kid])-slop)
		_, promoted := h.revoked[previous(reigns, i)]
		if i == 0 || promoted {
			from = r.from.Add(slop + h.slowest) // no token existed before the first key, and a revocation does not wait
		} else if !h.requested && r.from.Sub(reigns[i-1].from) < h.timeline.interval-2*slop {
			t.Errorf("key %.6s took over from %.6s after %v: two rotations in one interval", r.kid, previous(reigns, i), r.from.Sub(reigns[i-1].from))
		}
		if at, is := h.revoked[r.kid]; is && at.Before(to) {
			to = at
		}
		h.checkPublished(t, r.kid, from, to, now)
	}
	for kid, at := range h.revoked {
		h.checkGone(t, kid, at)
	}
	if t.Failed() {
		t.Log(h.story(reigns))
	}
}

func previous(reigns []reign, i int) string {
	if i == 0 {
		return ""
	}
	return reigns[i-1].kid
}

// checkPublished asserts that a key was in the file all the time.
func (h *history) checkPublished(t *testing.T, kid string, from, to, now time.Time) {
	t.Helper()
	for i, s := range h.files {
		until := now
		if i+1 < len(h.files) {
			until = h.files[i+1].from
		}
		if until.After(from) && s.from.Before(to) && s.exists && !slices.Contains(s.published, kid) {
			t.Errorf("the file lacked key %.6s, %v after the first moment at which it was needed and %v before the last",
				kid, s.from.Sub(from), to.Sub(s.from))
			return
		}
		if slices.Contains(s.published, "a private key") {
			t.Error("the file held a private key")
		}
	}
}

// checkGone asserts that a revoked key left the file and never returned.
func (h *history) checkGone(t *testing.T, kid string, at time.Time) {
	t.Helper()
	gone := false
	for _, s := range h.files {
		has := slices.Contains(s.published, kid)
		if gone && has {
			t.Errorf("the revoked key %.6s came back", kid)
		}
		gone = gone || (s.from.After(at) && !has)
	}
	if !gone {
		t.Errorf("the revoked key %.6s is still trusted", kid)
	}
}

// story returns the recorded states of a failed test.
func (h *history) story(reigns []reign) string {
	var b strings.Builder
	short := func(ids []string) (all []string) {
		for _, id := range ids {
			all = append(all, fmt.Sprintf("%.6s", id))
		}
		return all
	}
	start := h.files[0].from
	for _, r := range reigns {
		fmt.Fprintf(&b, "%6.2fs to %6.2fs  %.6s signs\n", r.from.Sub(start).Seconds(), r.to.Sub(start).Seconds(), r.kid)
	}
	for _, s := range h.files {
		fmt.Fprintf(&b, "%6.2fs  file %v %v\n", s.from.Sub(start).Seconds(), s.exists, short(s.published))
	}
	return b.String()
}

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

// shortest has the shortest times that the API accepts.
var shortest = timeline{interval: 3 * time.Second, delay: time.Second, lifetime: time.Second, skew: time.Second}

// scene is one SigningKey with one target, its history, and the controllers of one test.
type scene struct {
	*history
	t     *testing.T
	on    *cluster
	proxy *proxy
}

var scenes atomic.Int64

// newScene creates a target, and begins to record. It deletes the SigningKey at the end of the test.
func newScene(t *testing.T) *scene {
	t.Helper()
	c := borrow(t)
	c.apply(t, "default")
	n := scenes.Add(1)
	name, target := fmt.Sprintf("fault-%d", n), fmt.Sprintf("fault-target-%d", n)
	ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target, Labels: map[string]string{"fault": name}}}
	if err := c.admin.Create(t.Context(), &ns); err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, on: c, history: record(t, c, name, target, shortest), proxy: newProxy(t, c)}
	c.forgetAtTheEnd(t, name)
	return s
}

// forgetAtTheEnd deletes a SigningKey without a controller, so that it does not affect later tests.
func (c *cluster) forgetAtTheEnd(t *testing.T, name string) {
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_ = c.admin.Patch(ctx, key, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":[]}}`)))
		_ = c.admin.Delete(ctx, key)
		for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
			_ = c.admin.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: name + suffix}})
		}
	})
}

// signingKey applies the SigningKey of the scene.
func (s *scene) signingKey() {
	s.t.Helper()
	key := signingKeyFor(s.name, &metav1.LabelSelector{MatchLabels: map[string]string{"fault": s.name}})
	of := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	key.Spec.Rotation.Interval = of(shortest.interval)
	key.Spec.Token = keywrightv1alpha1.Token{MaxLifetime: of(shortest.lifetime), ClockSkew: of(shortest.skew)}
	key.Spec.Distribution.PropagationDelay = of(shortest.delay)
	if err := s.on.admin.Create(s.t.Context(), key); err != nil {
		s.t.Fatal(err)
	}
}

// signingKeyFor returns a SigningKey with the defaults.
func signingKeyFor(name string, selector *metav1.LabelSelector) *keywrightv1alpha1.SigningKey {
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	key.Spec.Distribution.NamespaceSelector = selector
	return key
}

// run starts a controller that uses the proxy of the scene.
func (s *scene) run() *process {
	s.t.Helper()
	return s.on.runWith(s.t, s.proxy.kubeconfig, "--leader-elect=false")
}

// mine reports whether a request is about the objects of this scene.
func (s *scene) mine(path string) bool {
	return strings.Contains(path, "/"+s.name) || strings.Contains(path, "/"+s.target+"/") ||
		strings.HasSuffix(path, "/"+keyNamespace+"/secrets")
}

// revokeActive revokes the key that signs.
func (s *scene) revokeActive() {
	s.t.Helper()
	kid := s.signs()
	s.revoke(kid)
	patch := fmt.Appendf(nil, `{"spec":{"revokedKeyIDs":[%q]}}`, kid)
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	if err := s.on.admin.Patch(s.t.Context(), key, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		s.t.Fatal(err)
	}
}

// The controller process is killed after each of its writes in turn: after the first one, after the second, and so on
// through a whole lifecycle, from the first key through a rotation to the removal of the old key. It is then started
// again, and must complete that lifecycle.
func TestKilledAfterEveryWrite(t *testing.T) {
	t.Parallel()
	controlplanetest.Directory(t)
	const fewest, spare = 12, 4
	var writes int64
	t.Run("never", func(t *testing.T) { writes = killedAfter(t, -1) })
	if writes < fewest {
		t.Fatalf("a whole life took %d writes", writes)
	}
	for n := range writes + spare {
		t.Run(fmt.Sprintf("%02d", n+1), func(t *testing.T) {
			t.Parallel()
			if took := killedAfter(t, n+1); took <= n {
				t.Logf("this life took %d writes only", took)
			}
		})
	}
}

// killedAfter kills the controller after its nth write, if there are so many. It returns how many there were.
func killedAfter(t *testing.T, n int64) int64 {
	s := newScene(t)
	var controller atomic.Pointer[process]
	var writes atomic.Int64
	var after atomic.Value
	killed := make(chan struct{}, 1)
	s.proxy.interfere(func(method, path string) fault {
		if !s.mine(path) || writes.Add(1) != n {
			return passes
		}
		after.Store(method + " " + path)
		return fatal
	}, func() {
		controller.Load().kill()
		killed <- struct{}{}
	})
	controller.Store(s.run())
	s.signingKey()
	first := ""
	until(t, "a whole life", 60*time.Second, func(context.Context) bool {
		select {
		case <-killed:
			t.Logf("killed after %s", after.Load())
			controller.Store(s.run())
		default:
		}
		if first == "" {
			first = s.signs()
		}
		return s.rotations() > 0 && !slices.Contains(s.published(), first)
	})
	s.check(t)
	return writes.Load()
}

// The API server refuses requests, delays them, and loses responses, at random, during rotations and a revocation.
func TestUnreliableAPIServer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.slowest = 4 * time.Second // several responses in a row may be lost, refused, or a second late
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s.proxy.interfere(func(string, string) fault {
		return [...]fault{passes, passes, passes, passes, passes, refused, lost, slow}[rnd.IntN(8)]
	}, nil)
	s.run()
	s.signingKey()
	until(t, "two rotations", 120*time.Second, func(context.Context) bool { return s.rotations() >= 2 })
	s.revokeActive()
	before := s.rotations()
	until(t, "three more", 120*time.Second, func(context.Context) bool { return s.rotations() >= before+3 })
	s.check(t)
}

// Two controllers reconcile at the same time, as after a stolen lease.
func TestTwoControllersAtOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run()
	s.run()
	s.signingKey()
	until(t, "two rotations", 60*time.Second, func(context.Context) bool { return s.rotations() >= 2 })
	s.revokeActive()
	before := s.rotations()
	until(t, "two more", 60*time.Second, func(context.Context) bool { return s.rotations() >= before+2 })
	s.check(t)
}

// Rotations are requested continuously, and the controller is restarted meanwhile: each key is known before it signs.
func TestRequestsWithoutAPause(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested = true
	controller := s.run()
	s.signingKey()
	began := time.Now()
	until(t, "six rotations", 60*time.Second, func(ctx context.Context) bool {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, contract.RotateAnnotation, time.Now().UTC().Format(time.RFC3339))
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
		_ = s.on.admin.Patch(ctx, key, client.RawPatch("application/merge-patch+json", patch))
		if controller != nil && time.Since(began) > 5*time.Second {
			controller.kill()
			controller = nil
			s.run()
		}
		return s.rotations() >= 6
	})
	s.check(t)
}

// The controller is down until after the next rotation, and the retirement of the previous key, are due.
func TestDownForLong(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	controller := s.run()
	s.signingKey()
	until(t, "a rotation", 30*time.Second, func(context.Context) bool { return s.rotations() == 1 })
	controller.kill()
	letPass(t.Context(), 3*shortest.interval)
	if s.rotations() != 1 {
		t.Fatal("somebody rotates")
	}
	s.run()
	until(t, "two more rotations", 30*time.Second, func(context.Context) bool { return s.rotations() == 3 })
	s.check(t)
}

// A hundred restarts create no extra key.
func TestManyRestarts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.signingKey()
	seen := map[string]bool{}
	for range 100 {
		controller := s.run()
		letPass(t.Context(), time.Duration(rand.Int64N(int64(200*time.Millisecond))))
		controller.kill()
	}
	s.run()
	until(t, "a rotation", 30*time.Second, func(context.Context) bool { return s.rotations() >= 1 })
	s.mu.Lock()
	for _, f := range s.files {
		for _, kid := range f.published {
			seen[kid] = true
		}
	}
	s.mu.Unlock()
	if most := s.rotations() + 2; len(seen) > most {
		t.Errorf("%d keys were made for %d rotations", len(seen), s.rotations())
	}
	s.check(t)
}

// The keyring is written, but writes of the status conflict repeatedly: no rotation happens twice.
func TestStatusConflicts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.proxy.interfere(func(_, path string) fault {
		if strings.HasSuffix(path, "/status") && rand.IntN(3) > 0 {
			return conflict
		}
		return passes
	}, nil)
	s.run()
	s.signingKey()
	until(t, "three rotations", 60*time.Second, func(context.Context) bool { return s.rotations() >= 3 })
	s.check(t)
}

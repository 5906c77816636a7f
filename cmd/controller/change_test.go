package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// patch changes the SigningKey of the scene.
func (s *scene) patch(format string, args ...any) {
	s.t.Helper()
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
	if err := s.on.admin.Patch(s.t.Context(), key, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, format, args...))); err != nil {
		s.t.Fatal(err)
	}
}

// secret reads a file of the signing-key Secret.
func (s *scene) secretFile(ctx context.Context, file string) string {
	var secret corev1.Secret
	_ = s.on.admin.Get(ctx, client.ObjectKey{Namespace: keyNamespace, Name: s.name + contract.SigningKeySuffix}, &secret)
	return string(secret.Data[file])
}

// The controller sees every change with a lag of most of the propagation delay.
func TestStaleWatch(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.proxy.watchLag = shortest.delay * 3 / 4
	s.run()
	s.signingKey()
	until(t, "two rotations", 60*time.Second, func(context.Context) bool { return s.rotations() >= 2 })
	s.revokeActive()
	before := s.rotations()
	until(t, "two more", 60*time.Second, func(context.Context) bool { return s.rotations() >= before+2 })
	s.check(t)
}

// Algorithm, interval and lifetime change while keys rotate. A key that signed under a long lifetime stays until its
// longest-lived token expires.
func TestPolicyChangesWhileKeysRotate(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.requested = true // a change of the algorithm causes a rotation, regardless of the interval
	s.run()
	s.signingKey()
	until(t, "a rotation", 30*time.Second, func(context.Context) bool { return s.rotations() >= 1 })
	s.patch(`{"spec":{"rotation":{"interval":"8s"},"token":{"maxLifetime":"4s"}}}`)
	until(t, "the longer lifetime with the issuers", 20*time.Second, func(ctx context.Context) bool {
		return strings.Contains(s.secretFile(ctx, contract.PolicyFile), `"maxLifetimeSeconds":4`)
	})
	s.mu.Lock()
	s.longest[s.secrets[len(s.secrets)-1].active] = 4 * time.Second
	s.mu.Unlock()
	s.patch(`{"spec":{"rotation":{"interval":"3s"},"token":{"maxLifetime":"1s"}}}`)
	before := s.rotations()
	until(t, "a rotation after that", 30*time.Second, func(context.Context) bool { return s.rotations() > before })
	s.patch(`{"spec":{"algorithm":"ES512"}}`)
	until(t, "a key of the new algorithm signs", 30*time.Second, func(ctx context.Context) bool {
		return strings.Contains(s.secretFile(ctx, contract.ActiveFile), `"ES512"`)
	})
	before = s.rotations()
	until(t, "two more rotations", 30*time.Second, func(context.Context) bool { return s.rotations() >= before+2 })
	s.check(t)
}

// A GitOps tool deletes the SigningKey and applies it again while tokens live: verifiers are not affected.
func TestPrunedAndAppliedAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run()
	s.signingKey()
	for range 3 {
		before := s.rotations()
		until(t, "a rotation", 30*time.Second, func(context.Context) bool { return s.rotations() > before })
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: s.name}}
		if err := s.on.admin.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		until(t, "gone", 20*time.Second, func(ctx context.Context) bool {
			return s.on.admin.Get(ctx, client.ObjectKeyFromObject(key), key) != nil
		})
		s.signingKey()
	}
	before := s.rotations()
	until(t, "a rotation at the end", 30*time.Second, func(context.Context) bool { return s.rotations() > before })
	s.check(t)
}

// One target has an exhausted quota, one is Terminating, one refuses writes, and another is created every second. They
// do not delay rotations and a revocation, and new namespaces have their file within a second.
func TestFailingTargetsDelayNoOtherTarget(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	ns := func(suffix string) string {
		name := s.target + suffix
		s.on.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"fault": s.name}}})
		return name
	}
	full, ending, refusing := ns("-full"), ns("-ending"), ns("-refuses")
	s.on.fill(t, full)
	s.on.refuse(t, refusing)
	if err := s.on.admin.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ending}}); err != nil {
		t.Fatal(err)
	}
	s.run()
	s.signingKey()
	born, revoked := 0, false
	var slowest time.Duration
	for began := time.Now(); time.Since(began) < 12*time.Second; {
		name := ns(fmt.Sprintf("-born-%d", born))
		born++
		at := time.Now()
		until(t, name+" has its file", 10*time.Second, func(ctx context.Context) bool { return s.on.published(ctx, name, s.name) != "" })
		slowest = max(slowest, time.Since(at))
		if !revoked && s.rotations() >= 1 {
			s.revokeActive()
			revoked = true
		}
		letPass(t.Context(), time.Second-time.Since(at))
	}
	t.Logf("%d namespaces were born, the slowest had its file after %v", born, slowest.Round(time.Millisecond))
	if s.rotations() < 2 {
		t.Errorf("%d rotations", s.rotations())
	}
	s.check(t)
	key := s.on.signingKey(t.Context(), s.name)
	if got, want := strings.Join(key.Status.Targets.Behind, " "), full+" "+refusing; got != want {
		t.Errorf("behind are %s, want %s", got, want)
	}
}

// A target whose existing file becomes stale delays the next scheduled rotation, and the condition names it.
func TestStaleFileHoldsARotation(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	stale := s.target + "-stale"
	s.on.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: stale, Labels: map[string]string{"fault": s.name}}})
	s.run()
	s.signingKey()
	until(t, "a rotation", 30*time.Second, func(context.Context) bool { return s.rotations() == 1 })
	s.on.refuse(t, stale)
	until(t, "the condition names it", 30*time.Second, func(ctx context.Context) bool {
		for _, c := range s.on.signingKey(ctx, s.name).Status.Conditions {
			if c.Type == keywrightv1alpha1.ConditionRotationOnTime && c.Status == metav1.ConditionFalse && strings.Contains(c.Message, stale) {
				return true
			}
		}
		return false
	})
	held := s.rotations()
	letPass(t.Context(), 2*shortest.interval)
	if s.rotations() != held {
		t.Error("a key signs that some verifier was not given")
	}
	s.revokeActive()
	until(t, "a revocation all the same", 20*time.Second, func(context.Context) bool { return s.rotations() > held })
	s.on.allow(t, stale)
	before := s.rotations()
	until(t, "rotations again", 90*time.Second, func(context.Context) bool { return s.rotations() >= before+2 })
	s.check(t)
}

// fill gives a namespace a quota without room for a ConfigMap. (Without a controller-manager, usage is not computed.)
func (c *cluster) fill(t *testing.T, namespace string) {
	t.Helper()
	none := corev1.ResourceList{corev1.ResourceConfigMaps: resource.MustParse("0")}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "full"}, Spec: corev1.ResourceQuotaSpec{Hard: none},
	}
	c.create(t, quota)
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	if err := c.admin.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	until(t, "the quota in force", 20*time.Second, func(ctx context.Context) bool {
		err := c.admin.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"}})
		return err != nil && strings.Contains(err.Error(), "exceeded quota")
	})
}

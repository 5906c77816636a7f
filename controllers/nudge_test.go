package controllers

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/wiring"
)

// mountingPod creates a pod that mounts the public keys, or a Secret if its name is given.
func (w *world) mountingPod(namespace, name, secret string) *corev1.Pod {
	w.Helper()
	volume := corev1.Volume{Name: "keys"}
	if secret == "" {
		volume.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: contract.JWKSConfigMap}},
		}}}
	} else {
		volume.Secret = &corev1.SecretVolumeSource{SecretName: secret}
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "example.com/x"}}, Volumes: []corev1.Volume{volume}},
	}
	w.must(w.Create(w.Context(), pod))
	return pod
}

func (w *world) nudgedAt(pod *corev1.Pod) string {
	w.Helper()
	var now corev1.Pod
	w.must(w.Get(w.Context(), client.ObjectKeyFromObject(pod), &now))
	return now.Annotations[contract.NudgedAnnotation]
}

// nudge runs the nudge controller until it waits only for the second nudge, and then runs that.
func (w *world) nudge(everywhere bool) *podrefresh.Reconciler {
	w.Helper()
	r := &podrefresh.Reconciler{
		Client: w.Client, API: ownPods{w.Client, w}, KeyNamespace: w.keys.KeyNamespace, Everywhere: everywhere, Now: w.clock.now,
		Requests: w.keys.Refreshes, Metrics: podrefresh.NewMetrics(prometheus.NewRegistry()),
	}
	for range 3 {
		result, err := r.Reconcile(w.Context(), wiring.Named(w.name))
		w.must(err)
		w.clock.step(result.RequeueAfter)
	}
	return r
}

func (w *world) revokeActive() string {
	w.Helper()
	kid := w.signs()
	w.change(func(k *keywrightv1alpha1.SigningKey) { k.Spec.RevokedKeyIDs = append(k.Spec.RevokedKeyIDs, kid) })
	return kid
}

func (w *world) receipts() []keywrightv1alpha1.KeyRevocationStatus { return w.get().Status.Revocations }

func TestReceiptWithoutTheSwitchExpectsThePropagationDelay(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	issuer := w.mountingPod(w.keys.KeyNamespace, "issuer", w.name+contract.SigningKeySuffix)
	verifier := w.mountingPod(w.targets[0], "verifier", "")
	w.revokeActive()
	w.settle()
	w.nudge(false)
	w.settle()
	if w.nudgedAt(issuer) == "" || w.nudgedAt(verifier) != "" {
		t.Errorf("the issuer's pod was nudged at %q, the verifier's at %q", w.nudgedAt(issuer), w.nudgedAt(verifier))
	}
	r := w.receipts()[0]
	if r.SigningMovedAt == nil || r.RemovedAt == nil || r.NudgedAt == nil || r.PodsLeft != nil {
		t.Fatalf("the receipt says %+v", r)
	}
	if got := r.ExpectedEverywhereBy.Sub(r.RemovedAt.Time); got != 10*time.Minute {
		t.Errorf("expected everywhere %v after the removal, want the propagation delay", got)
	}
}

func TestReceiptWithTheSwitchExpectsSeconds(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	verifier := w.mountingPod(w.targets[0], "verifier", "")
	w.revokeActive()
	w.settle()
	w.nudge(true)
	w.settle()
	r := w.receipts()[0]
	if got := r.ExpectedEverywhereBy.Sub(r.NudgedAt.Time); got > 10*time.Second {
		t.Errorf("expected everywhere %v after the last nudge", got)
	}
	first := w.nudgedAt(verifier)
	w.step(time.Minute)
	w.nudge(true)
	w.want("after it was finished, the pod was touched at", w.nudgedAt(verifier), first)
	w.revokeActive()
	w.settle()
	w.nudge(true)
	if w.nudgedAt(verifier) == first {
		t.Error("a second revocation nudges nobody")
	}
}

// After a restart, the receipt is continued from the keyring: steps that it records are not repeated, others are.
func TestRestartFinishesTheNudging(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	verifier := w.mountingPod(w.targets[0], "verifier", "")
	w.revokeActive()
	w.settle()
	w.restart()
	w.settle()
	w.nudge(true)
	w.settle()
	at := w.nudgedAt(verifier)
	if at == "" {
		t.Fatal("after a restart in the middle nobody is nudged")
	}
	w.restart()
	w.step(time.Minute)
	w.nudge(true)
	w.want("after a restart, the pod was touched at", w.nudgedAt(verifier), at)
}

func TestUnknownKeyNudgesNoPod(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	verifier := w.mountingPod(w.targets[0], "verifier", "")
	w.change(func(k *keywrightv1alpha1.SigningKey) {
		k.Spec.RevokedKeyIDs = []string{"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	})
	w.settle()
	w.nudge(true)
	w.want("nudged at", w.nudgedAt(verifier), "")
	if r := w.receipts()[0]; r.Known || r.RemovedAt == nil || r.SigningMovedAt != nil || r.NudgedAt != nil {
		t.Errorf("the receipt of an unknown key says %+v", r)
	}
}

// If the keyring cannot be written, a revocation is still distributed, and pods are nudged at once.
func TestRestoredKeyringNudgesToo(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	old := w.secret(contract.KeyringSuffix)
	w.step(time.Hour)
	w.step(time.Hour)
	now := w.secret(contract.KeyringSuffix)
	now.Data = old.Data
	w.must(w.Update(w.Context(), now))
	verifier := w.mountingPod(w.targets[0], "verifier", "")
	w.settle()
	w.want("Ready", w.condition(keywrightv1alpha1.ConditionReady), "False KeyringRestored")
	w.want("before any revocation, nudged at", w.nudgedAt(verifier), "")
	w.revokeActive()
	w.settle()
	w.nudge(true)
	if w.nudgedAt(verifier) == "" {
		t.Error("nobody was nudged")
	}
}

func TestPodThatIsGoneOrEndedNeedsNoNudge(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	ended := w.mountingPod(w.targets[0], "ended", "")
	ended.Status.Phase = corev1.PodSucceeded
	w.must(w.Status().Update(w.Context(), ended))
	gone := w.mountingPod(w.targets[1], "gone", "")
	w.revokeActive()
	w.settle()
	r := &podrefresh.Reconciler{
		Client: w.Client, API: ownPods{w.Client, w}, KeyNamespace: w.keys.KeyNamespace, Everywhere: true, Now: w.clock.now,
		Requests: w.keys.Refreshes, Metrics: podrefresh.NewMetrics(prometheus.NewRegistry()),
	}
	_, err := r.Reconcile(t.Context(), wiring.Named(w.name))
	w.must(err)
	w.must(w.Delete(t.Context(), gone, client.GracePeriodSeconds(0)))
	_, err = r.Reconcile(t.Context(), wiring.Named(w.name))
	w.must(err)
	w.settle()
	w.want("nudged at", w.nudgedAt(ended), "")
	if r := w.receipts()[0]; r.NudgedAt == nil {
		t.Errorf("the receipt waits for a pod that is gone: %+v", r)
	}
}

// Pods of a namespace that is being deleted keep the file if its ConfigMap is gone: the receipt counts them until they
// terminate.
func TestReceiptCountsPodsOfATerminatingNamespace(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	target := w.targets[0]
	pod := w.mountingPod(target, "verifier", "")
	w.must(w.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: target}}))
	w.must(w.Delete(t.Context(), w.configMap(target)))
	w.revokeActive()
	w.settle()
	w.nudge(true)
	w.settle()
	if r := w.receipts()[0]; r.NudgedAt != nil || r.PodsLeft == nil || *r.PodsLeft != 1 || len(r.Terminating) != 1 || r.Terminating[0] != target {
		t.Errorf("while the pod runs, the receipt says %+v", r)
	}
	w.must(w.Delete(t.Context(), pod, client.GracePeriodSeconds(0)))
	w.nudge(true)
	w.settle()
	if r := w.receipts()[0]; r.NudgedAt == nil || r.PodsLeft != nil {
		t.Errorf("when it has ended, the receipt says %+v", r)
	}
}

// If the signing-key Secret cannot be written, pods of issuers are still nudged, for the revocation list.
func TestIssuersAreNudgedForTheRevocationList(t *testing.T) {
	w := newWorld(t)
	w.signingKey()
	w.settle()
	issuer := w.mountingPod(w.keys.KeyNamespace, "issuer", w.name+contract.SigningKeySuffix)
	both := issuer.DeepCopy()
	both.ObjectMeta = metav1.ObjectMeta{Namespace: issuer.Namespace, Name: "both"}
	keySets := corev1.Volume{Name: "key-sets"}
	keySets.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
		ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: contract.JWKSConfigMap}},
	}}}
	both.Spec.Volumes = append(both.Spec.Volumes, keySets)
	w.must(w.Create(t.Context(), both))
	w.freezeSecret(contract.SigningKeySuffix, true)
	w.revokeActive()
	w.try()
	w.nudge(false)
	first := w.nudgedAt(both)
	if first == "" || w.nudgedAt(issuer) != "" {
		t.Errorf("nudged at %q, and %q without the list", first, w.nudgedAt(issuer))
	}
	w.try()
	if r := w.receipts()[0]; r.NudgedAt != nil || r.PodsLeft == nil || *r.PodsLeft != 2 {
		t.Errorf("receipt %+v", r)
	}
	w.freezeSecret(contract.SigningKeySuffix, false)
	w.settle()
	w.clock.step(time.Minute)
	w.nudge(false)
	w.settle()
	if r := w.receipts()[0]; r.NudgedAt == nil || w.nudgedAt(issuer) == "" || w.nudgedAt(both) == first {
		t.Errorf("receipt %+v", r)
	}
}

// ownPods lists only the pods of one world, since others delete their ConfigMaps and namespaces at the same time.
type ownPods struct {
	client.Reader
	w *world
}

func (c ownPods) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Reader.List(ctx, list, opts...)
	if pods, ok := list.(*corev1.PodList); ok {
		pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool {
			return p.Namespace != c.w.keys.KeyNamespace && !strings.HasSuffix(p.Namespace, strings.TrimPrefix(c.w.name, "key"))
		})
	}
	return err
}

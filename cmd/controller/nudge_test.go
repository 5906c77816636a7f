package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// pod returns a pod with one volume, which Pod Security of the key namespace admits.
func pod(namespace, name string, volume corev1.VolumeSource) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "main", Image: "example.com/main", SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
			Volumes: []corev1.Volume{{Name: "keys", VolumeSource: volume}},
		},
	}
}

var (
	jwksReference = corev1.LocalObjectReference{Name: contract.JWKSConfigMap}
	projected     = corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: jwksReference}},
	}}}
	plain = corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: jwksReference}}
	other = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
)

func secretVolume(name string) corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}
}

func (c *cluster) create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := c.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

// With the permissions of config/nudge, a revocation nudges exactly the pods that mount objects with the revoked key,
// each twice, and completes its receipt. A target that refuses its file delays only the nudges of its own pods.
func TestRevocationFillsItsReceipt(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "nudge")
	t.Cleanup(func() {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "keywright-controller-nudge"}}
		_ = c.admin.Delete(context.WithoutCancel(t.Context()), binding)
	})
	const name = "receipt"
	for _, ns := range []string{"receipt-a", "receipt-b", "receipt-stubborn"} {
		c.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns, Labels: map[string]string{name: "true"}}})
	}
	nudged := []*corev1.Pod{
		pod(keyNamespace, "issuer", secretVolume(name+contract.SigningKeySuffix)),
		pod("receipt-a", "projected", projected), pod("receipt-a", "plain", plain), pod("receipt-b", "projected", projected),
	}
	left := []*corev1.Pod{
		pod("receipt-a", "other", other), pod("receipt-b", "secret", secretVolume(name+contract.SigningKeySuffix)),
		pod(keyNamespace, "others-issuer", secretVolume("another"+contract.SigningKeySuffix)),
	}
	waiting := pod("receipt-stubborn", "projected", projected)
	for _, p := range append(append([]*corev1.Pod{waiting}, nudged...), left...) {
		c.create(t, p)
	}
	c.runWith(t, c.file("kubeconfig"), "--nudge-pods", "--leader-elect=false")
	key := signingKeyFor(name, &metav1.LabelSelector{MatchLabels: map[string]string{name: "true"}})
	c.create(t, key)
	until(t, "Ready, with a Standby", 20*time.Second, func(ctx context.Context) bool {
		now := c.signingKey(ctx, name)
		return ready(&now) && len(now.Status.Keys) == 2
	})
	c.refuse(t, "receipt-stubborn")

	began := time.Now()
	now := c.signingKey(t.Context(), name)
	kid := now.Status.ActiveKeyID
	now.Spec.RevokedKeyIDs = []string{kid}
	if err := c.admin.Update(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	receipt := func(ctx context.Context) keywrightv1alpha1.KeyRevocationStatus {
		if all := c.signingKey(ctx, name).Status.Revocations; len(all) == 1 {
			return all[0]
		}
		return keywrightv1alpha1.KeyRevocationStatus{}
	}
	until(t, "one pod left", 20*time.Second, func(ctx context.Context) bool {
		r := receipt(ctx)
		return r.PodsLeft != nil && *r.PodsLeft == 1 && r.SigningMovedAt != nil
	})
	if r := receipt(t.Context()); r.KeyID != kid || r.RemovedAt != nil || r.NudgedAt != nil || r.ExpectedEverywhereBy != nil {
		t.Errorf("while a file still holds the key, the receipt says %+v", r)
	}
	c.wantTouches(t, began, 1, nudged...)
	c.wantTouches(t, began, 0, append(left, waiting)...)

	c.allow(t, "receipt-stubborn")
	until(t, "a full receipt", 90*time.Second, func(ctx context.Context) bool {
		r := receipt(ctx)
		return r.PodsLeft == nil && r.RemovedAt != nil && r.NudgedAt != nil && r.ExpectedEverywhereBy != nil &&
			r.ExpectedEverywhereBy.Before(&metav1.Time{Time: time.Now().Add(10 * time.Second)})
	})
	c.wantTouches(t, began, 2, append(nudged, waiting)...)
	c.wantTouches(t, began, 0, left...)
}

// wantTouches reads from the audit log how often the controller changed each pod.
func (c *cluster) wantTouches(t *testing.T, since time.Time, want int, pods ...*corev1.Pod) {
	t.Helper()
	got := map[string]int{}
	for _, r := range c.audited(t, since) {
		if r.ObjectRef.Resource == "pods" && r.write() && r.ResponseStatus.Code == 200 {
			got[r.ObjectRef.Namespace+"/"+r.ObjectRef.Name]++
		}
	}
	for _, p := range pods {
		if n := got[p.Namespace+"/"+p.Name]; n != want {
			t.Errorf("pod %s/%s was touched %d times, want %d", p.Namespace, p.Name, n, want)
		}
	}
}

// allow reverts refuse.
func (c *cluster) allow(t *testing.T, namespace string) {
	t.Helper()
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if err := c.admin.Delete(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
}

// Under the policies, the permission to patch pods is restricted to one annotation.
func TestControllerMayTouchPodsAndNothingMore(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	victim := pod(keyNamespace, "victim", other)
	victim.Labels, victim.Annotations = map[string]string{"a": "b"}, map[string]string{"kept": "yes"}
	c.create(t, victim)
	t.Cleanup(func() { _ = c.admin.Delete(context.WithoutCancel(t.Context()), victim) })
	as, err := client.New(c.asController.Config(), client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	try := func(ctx context.Context, patch string) error {
		return as.Patch(ctx, pod(keyNamespace, "victim", other), client.RawPatch("application/strategic-merge-patch+json", []byte(patch)))
	}
	tries := 0
	until(t, "the policy in force", 30*time.Second, func(ctx context.Context) bool {
		tries++
		return refusedByPolicy(try(ctx, fmt.Sprintf(`{"metadata":{"labels":{"a":"c%d"}}}`, tries)))
	})
	for what, patch := range map[string]string{
		"the image":                `{"spec":{"containers":[{"name":"main","image":"example.com/evil"}]}}`,
		"a deadline":               `{"spec":{"activeDeadlineSeconds":1}}`,
		"a toleration":             `{"spec":{"tolerations":[{"key":"x","operator":"Exists"}]}}`,
		"a label":                  `{"metadata":{"labels":{"new":"x"}}}`,
		"a label's loss":           `{"metadata":{"labels":{"a":null}}}`,
		"another annotation":       `{"metadata":{"annotations":{"evil":"x"}}}`,
		"an annotation's loss":     `{"metadata":{"annotations":{"kept":null}}}`,
		"an annotation's value":    `{"metadata":{"annotations":{"kept":"no","keywright.dev/nudged-at":"x"}}}`,
		"an owner":                 `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"x","uid":"x"}]}}`,
		"a finalizer":              `{"metadata":{"finalizers":["example.com/stay"]}}`,
		"the image, and the nudge": `{"metadata":{"annotations":{"keywright.dev/nudged-at":"x"}},"spec":{"containers":[{"name":"main","image":"e"}]}}`,
	} {
		if err := try(t.Context(), patch); !refusedByPolicy(err) {
			t.Errorf("it may change %s: %v", what, err)
		}
	}
	for _, subresource := range []string{"status", "ephemeralcontainers", "resize", "eviction", "binding"} {
		if err := as.SubResource(subresource).Patch(t.Context(), victim, client.RawPatch("application/merge-patch+json", []byte(`{}`))); !apierrors.IsForbidden(err) {
			t.Errorf("it may patch pods/%s: %v", subresource, err)
		}
	}
	if err := as.Delete(t.Context(), pod(keyNamespace, "victim", other)); !apierrors.IsForbidden(err) {
		t.Errorf("it may delete a pod: %v", err)
	}
	if err := try(t.Context(), `{"metadata":{"annotations":{"keywright.dev/nudged-at":"2026-01-31T12:00:00Z"}}}`); err != nil {
		t.Errorf("it may not touch a pod: %v", err)
	}
	if err := as.List(t.Context(), &corev1.PodList{}); !apierrors.IsForbidden(err) {
		t.Errorf("without config/nudge it may list the pods of all namespaces: %v", err)
	}
}

func refusedByPolicy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "keywright-controller-touches-pods")
}

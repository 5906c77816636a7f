package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Release reports that no controller runs only if that is true. Otherwise it does not change the status. It does not
// run in parallel, since it writes to all SigningKeys.
func TestRelease(t *testing.T) {
	api := admin(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "release-"}}
	if err := api.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	opts := Options{KeyNamespace: ns.Name, Now: time.Now, LeaseDuration: time.Second, RenewDeadline: 500 * time.Millisecond, RetryPeriod: 100 * time.Millisecond}
	holds := func(holder string) *coordinationv1.Lease {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: contract.Lease}, Spec: coordinationv1.LeaseSpec{
			HolderIdentity: &holder, LeaseDurationSeconds: new(int32(1)), RenewTime: &metav1.MicroTime{Time: time.Now()},
		}}
	}
	for name, c := range map[string]struct {
		lease  *coordinationv1.Lease
		renews bool
		want   error
	}{
		"there is no Lease": {}, "it was given up": {lease: holds("")}, "its holder was killed": {lease: holds("pod-1")},
		"its holder works": {lease: holds("pod-1"), renews: true, want: errStillWorks},
	} {
		t.Run(name, func(t *testing.T) {
			key, ti := reportedReady(t, api), trustedReady(t, api)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.lease != nil {
				if err := api.Create(t.Context(), c.lease); err != nil {
					t.Fatal(err)
				}
				defer func() { _ = api.Delete(t.Context(), c.lease) }()
			}
			if c.renews {
				renewing := make(chan struct{})
				go func() { defer close(renewing); renew(ctx, api, c.lease.DeepCopy()) }()
				defer func() { cancel(); <-renewing }()
			}
			if err := Release(t.Context(), environment.config, opts); !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(key), key); err != nil {
				t.Fatal(err)
			}
			ready := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionReady)
			if stopped := ready.Status == metav1.ConditionUnknown && ready.Reason == keywrightv1alpha1.ReasonControllerStopped; stopped == c.renews {
				t.Errorf("Ready is %+v", ready)
			}
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(ti), ti); err != nil {
				t.Fatal(err)
			}
			of := meta.FindStatusCondition(ti.Status.Conditions, keywrightv1alpha1.ConditionReady)
			if stopped := of.Reason == keywrightv1alpha1.ReasonControllerStopped; stopped == c.renews || ti.Status.KeyCount != 3 {
				t.Errorf("the TrustedIssuer says %+v", ti.Status)
			}
			if !meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionDistributed) || key.Status.ActiveKeyID != "k" {
				t.Errorf("the rest of the status is lost: %+v", key.Status)
			}
		})
	}
}

// reportedReady creates a SigningKey with the status that a controller has written.
func reportedReady(t *testing.T, api client.Client) *keywrightv1alpha1.SigningKey {
	t.Helper()
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{GenerateName: "release-"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"nobody": ""}}
	if err := api.Create(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Delete(context.Background(), key) })
	for kind, reason := range map[string]string{
		keywrightv1alpha1.ConditionReady: keywrightv1alpha1.ReasonSigning, keywrightv1alpha1.ConditionDistributed: keywrightv1alpha1.ReasonInSync,
	} {
		meta.SetStatusCondition(&key.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason})
	}
	key.Status.ActiveKeyID = "k"
	if err := api.Status().Update(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return key
}

// trustedReady creates a TrustedIssuer with the status that a controller has written.
func trustedReady(t *testing.T, api client.Client) *keywrightv1alpha1.TrustedIssuer {
	t.Helper()
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{GenerateName: "release-"}}
	ti.Spec.Issuer, ti.Spec.Keys.Inline = "https://release.example", "{}"
	ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"nobody": ""}}
	if err := api.Create(t.Context(), ti); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Delete(context.Background(), ti) })
	meta.SetStatusCondition(&ti.Status.Conditions, metav1.Condition{
		Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: keywrightv1alpha1.ReasonTrusted,
	})
	ti.Status.KeyCount = 3
	if err := api.Status().Update(t.Context(), ti); err != nil {
		t.Fatal(err)
	}
	return ti
}

// renew renews a Lease like a leader, until the context ends.
func renew(ctx context.Context, api client.Client, lease *coordinationv1.Lease) {
	for ticker := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
		lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
		_ = api.Update(ctx, lease)
	}
}

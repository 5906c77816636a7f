package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/rotation"
)

// One target refuses its ConfigMap, by admission: it delays no other target and no revocation, and is named.
func TestOneTargetRefuses(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	refusing := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: s.target + "-refuses", Labels: map[string]string{"fault": s.name, "refuses": s.name},
	}}
	if err := s.on.admin.Create(t.Context(), &refusing); err != nil {
		t.Fatal(err)
	}
	s.on.refuse(t, refusing.Name)
	s.run()
	s.signingKey()
	until(t, "a rotation", 60*time.Second, func(context.Context) bool { return s.rotations() >= 1 })
	s.revokeActive()
	before := s.rotations()
	until(t, "two more", 60*time.Second, func(context.Context) bool { return s.rotations() >= before+2 })
	s.check(t)
	until(t, "the one that refuses behind, and no other", 60*time.Second, func(ctx context.Context) bool {
		b := s.on.signingKey(ctx, s.name).Status.Targets.Behind // rotations continue, so others may be behind for a moment
		return len(b) == 1 && b[0] == refusing.Name
	})
}

// refuse makes the API server refuse ConfigMaps in a namespace, and waits until it does.
func (c *cluster) refuse(t *testing.T, namespace string) {
	t.Helper()
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: "namespaceObject.metadata.name != '" + namespace + "'"}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: namespace, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	for _, o := range []client.Object{policy, binding} {
		if err := c.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the policy in force", 30*time.Second, func(ctx context.Context) bool {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"}}
		return apierrors.IsInvalid(c.admin.Create(ctx, probe)) || apierrors.IsForbidden(c.admin.Create(ctx, probe))
	})
}

// ConfigMaps that another client deletes or edits are restored automatically.
func TestEditsByHandAreRepaired(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	controller := s.run()
	s.signingKey()
	until(t, "two keys in the file", 30*time.Second, func(context.Context) bool { return len(s.published()) == 2 })
	s.on.unguard(t)
	at := client.ObjectKey{Namespace: s.target, Name: contract.JWKSConfigMap}
	var cm corev1.ConfigMap
	if err := s.on.admin.Get(t.Context(), at, &cm); err != nil {
		t.Fatal(err)
	}
	good := cm.Data[s.name+contract.JWKSSuffix]
	merge := func(body string) func() error {
		return func() error {
			return s.on.admin.Patch(t.Context(), &cm, client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	file := s.name + contract.JWKSSuffix
	foreign, err := json.Marshal(strings.Replace(good, `{"keys":[`, `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"planted","alg":"EdDSA","use":"sig"},`, 1))
	if err != nil {
		t.Fatal(err)
	}
	for what, edit := range map[string]func() error{
		"deleted":                    func() error { return s.on.admin.Delete(t.Context(), &cm) },
		"emptied":                    merge(`{"data":null}`),
		"edited":                     merge(`{"data":{"` + file + `":"{}"}}`),
		"given a key beside ours":    merge(`{"data":{"` + file + `":` + string(foreign) + `}}`),
		"given another file":         merge(`{"data":{"evil.json":"{}"}}`),
		"relabelled":                 merge(`{"metadata":{"labels":{"` + contract.ManagedByLabel + `":"somebody"}}}`),
		"edited, and made immutable": merge(`{"immutable":true,"data":{"` + file + `":"{}"}}`),
		"edited while nobody looks": func() error {
			controller.kill()
			err := merge(`{"data":{"` + file + `":"{}"}}`)()
			controller = s.run()
			return err
		},
	} {
		if err := edit(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		began := time.Now()
		until(t, what+" and repaired", 20*time.Second, func(ctx context.Context) bool {
			var now corev1.ConfigMap
			return s.on.admin.Get(ctx, at, &now) == nil && len(now.Data) == 2 && now.Immutable == nil &&
				now.Labels[contract.ManagedByLabel] == contract.ManagedBy &&
				strings.Contains(now.Data[file], keyIDIn(good)) && !strings.Contains(now.Data[file], "planted")
		})
		t.Logf("%s: repaired within %v", what, time.Since(began).Round(time.Millisecond))
	}
}

// One namespace of 501 refuses every write. Each of the others gets each change with one write, whether it is before or
// after the one that refuses, which causes a few failed calls with growing delays.
func TestRefusingNamespaceDelaysNoOther(t *testing.T) {
	t.Parallel()
	const others = 500
	c := borrow(t)
	c.apply(t, "default")
	name := fmt.Sprintf("many-%d", scenes.Add(1))
	selected := map[string]string{"many": name}
	errs := make([]error, others+1)
	workqueue.ParallelizeUntil(t.Context(), 16, len(errs), func(i int) {
		errs[i] = c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%03d", name, i), Labels: selected}})
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	refusing := name + "-250"
	c.refuse(t, refusing)
	controller := c.runWith(t, c.file("kubeconfig"), "--leader-elect=false")
	until(t, "ready", 30*time.Second, func(context.Context) bool { return controller.ready() })
	key := signingKeyFor(name, &metav1.LabelSelector{MatchLabels: selected})
	c.forgetAtTheEnd(t, key.Name)
	c.create(t, key)
	settled := func(ctx context.Context) bool {
		s := c.signingKey(ctx, key.Name).Status
		return s.Targets.InSync == others+1 && len(s.Keys) == 2
	}
	until(t, "published", 60*time.Second, settled)
	began := time.Now()
	c.revokeStandby(t, key.Name)
	until(t, "the revocation known", 60*time.Second, func(ctx context.Context) bool {
		return len(c.signingKey(ctx, key.Name).Status.Revocations) == 1
	})
	until(t, "published again", 60*time.Second, settled)
	writes, failed := map[string]int{}, 0
	var last time.Time
	for _, r := range c.audited(t, began) {
		switch {
		case r.ObjectRef.Resource != "configmaps" || !r.write():
		case r.ObjectRef.Namespace == refusing:
			failed++
		default:
			writes[r.ObjectRef.Namespace]++
			last = r.StageTimestamp.Time
		}
	}
	for namespace, n := range writes {
		if n != 1 {
			t.Errorf("%s was written %d times", namespace, n)
		}
	}
	if len(writes) != others+1 { // and the key namespace
		t.Errorf("%d of %d namespaces were written", len(writes), others+1)
	}
	// From 5 ms on, each wait is twice the previous one: so many calls fit into the time until the last write, and into
	// the time after it.
	if most := 2 + bits.Len64(uint64(time.Since(began)/(5*time.Millisecond))); failed == 0 || failed > most {
		t.Errorf("%d calls failed, at most %d were expected", failed, most)
	}
	t.Logf("the last of %d was written after %v; %d calls failed", others, last.Sub(began).Round(time.Millisecond), failed)
}

// revokeStandby revokes the Standby, so that the key set changes once.
func (c *cluster) revokeStandby(t testing.TB, name string) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error { // the controller may be writing the status
		key := c.signingKey(t.Context(), name)
		for _, k := range key.Status.Keys {
			if k.State == string(rotation.Standby) {
				key.Spec.RevokedKeyIDs = append(key.Spec.RevokedKeyIDs, k.KeyID)
			}
		}
		return c.admin.Update(t.Context(), &key)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// If an admission policy changes what is written, that is reported, and the write is retried with a back-off.
func TestRewrittenFileIsNoLoop(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run()
	s.signingKey()
	until(t, "two keys in the file", 30*time.Second, func(context.Context) bool { return len(s.published()) == 2 })
	s.on.rewrite(t, s.target, s.name+contract.JWKSSuffix)
	began := time.Now()
	s.on.revokeStandby(t, s.name)
	letPass(t.Context(), 3*time.Second)
	writes := 0
	for _, r := range s.on.audited(t, began) {
		if r.ObjectRef.Resource == "configmaps" && r.ObjectRef.Namespace == s.target && r.write() {
			writes++
		}
	}
	if writes < 2 || writes > 40 {
		t.Errorf("%d writes", writes)
	}
	if b := s.on.signingKey(t.Context(), s.name).Status.Targets.Behind; len(b) != 1 || b[0] != s.target {
		t.Errorf("behind are %v", b)
	}
}

// rewrite makes the API server replace a file in every ConfigMap that is written in a namespace.
func (c *cluster) rewrite(t *testing.T, namespace, file string) {
	t.Helper()
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "rewrite"},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			ReinvocationPolicy: admissionv1.NeverReinvocationPolicy,
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
				},
			}}},
			MatchConditions: []admissionv1.MatchCondition{{Name: "here", Expression: "object.metadata.namespace == '" + namespace + "'"}},
			Mutations: []admissionv1.Mutation{{
				PatchType:          admissionv1.PatchTypeApplyConfiguration,
				ApplyConfiguration: &admissionv1.ApplyConfiguration{Expression: `Object{data: {"` + file + `": "{}"}}`},
			}},
		},
	}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "rewrite"}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: "rewrite"},
	}
	for _, o := range []client.Object{policy, binding} {
		c.create(t, o)
	}
	t.Cleanup(func() { _ = c.admin.Delete(context.WithoutCancel(t.Context()), binding) })
	until(t, "the policy in force", 30*time.Second, func(ctx context.Context) bool {
		probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "probe-"}}
		return c.admin.Create(ctx, probe, client.DryRunAll) == nil && probe.Data[file] != ""
	})
}

// keyIDIn returns the first kid of a JWKS.
func keyIDIn(jwks string) string { return kidsOf([]byte(jwks))[0] }

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
)

// One target refuses its ConfigMap, by admission: no other target waits for it, and neither does a revocation. It is named.
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
	key := s.on.signingKey(t.Context(), s.name)
	if b := key.Status.Targets.Behind; len(b) != 1 || b[0] != refusing.Name {
		t.Errorf("behind are %v", b)
	}
}

// refuse has the API server refuse ConfigMaps in a namespace, and waits until it does.
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

// What somebody deletes or edits is put right, without anybody's doing.
func TestEditsByHandAreRepaired(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.run()
	s.signingKey()
	until(t, "two keys in the file", 30*time.Second, func(context.Context) bool { return len(s.published()) == 2 })
	s.on.unguard(t)
	at := client.ObjectKey{Namespace: s.target, Name: contract.JWKSConfigMap}
	var cm corev1.ConfigMap
	if err := s.on.admin.Get(t.Context(), at, &cm); err != nil {
		t.Fatal(err)
	}
	good := cm.Data[s.name+contract.JWKSSuffix]
	for what, edit := range map[string]func() error{
		"deleted": func() error { return s.on.admin.Delete(t.Context(), &cm) },
		"edited": func() error {
			p := client.RawPatch("application/merge-patch+json", []byte(`{"data":{"`+s.name+`.json":"{}","evil.json":"{}"}}`))
			return s.on.admin.Patch(t.Context(), &cm, p)
		},
	} {
		if err := edit(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		until(t, what+" and repaired", 10*time.Second, func(ctx context.Context) bool {
			var now corev1.ConfigMap
			return s.on.admin.Get(ctx, at, &now) == nil && len(now.Data) == 1 && strings.Contains(now.Data[s.name+contract.JWKSSuffix], keyIDIn(good))
		})
		t.Logf("%s: repaired within %v", what, time.Since(began).Round(time.Millisecond))
	}
}

// keyIDIn returns the first kid of a JWKS.
func keyIDIn(jwks string) string { return kidsOf([]byte(jwks))[0] }

package main

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/issuerca/issuercatest"
)

// caConfigMap returns a ConfigMap with a CA and the label for it.
func caConfigMap(name, ca string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: name, Labels: map[string]string{contract.RoleLabel: contract.RoleIssuerCA}},
		Data:       map[string]string{"ca.crt": ca},
	}
}

// deployerWho returns a deployer who also has a verb on all SigningKeys.
func (c *cluster) deployerWho(t *testing.T, verb string) client.Client {
	t.Helper()
	c.deployer(t)
	name := "deployer-" + verb
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, Verbs: []string{verb}},
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}},
	}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	for _, o := range []client.Object{role, binding} {
		if err := client.IgnoreAlreadyExists(c.admin.Create(t.Context(), o)); err != nil {
			t.Fatal(err)
		}
	}
	return c.as(t, name)
}

// The permission to write ConfigMaps in the key namespace does not allow to change the CA of the issuer's clients.
func TestOnlyWhoMayChangeSigningKeysWritesTheCA(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-issuer-ca"
	deployer := c.deployer(t)
	c.inForce(t, policy, func(ctx context.Context) error {
		return deployer.Create(ctx, caConfigMap("guarded-ca", "x"), client.DryRunAll)
	})
	plain := caConfigMap("plain", "x")
	plain.Labels = nil
	if err := deployer.Create(t.Context(), plain); err != nil {
		t.Fatalf("a deployer cannot create a ConfigMap without the label: %v", err)
	}
	elsewhere := caConfigMap("elsewhere", "x")
	elsewhere.Namespace = "default"
	if err := deployer.Create(t.Context(), elsewhere, client.DryRunAll); err != nil {
		t.Errorf("a deployer cannot create one in another namespace, where the label means nothing: %v", err)
	}
	merge := func(body string) client.Patch { return client.RawPatch("application/merge-patch+json", []byte(body)) }
	label, unlabel := merge(`{"metadata":{"labels":{"keywright.dev/role":"issuer-ca"}}}`), merge(`{"metadata":{"labels":null}}`)
	for name, as := range map[string]client.Client{
		"an admin": c.admin, "who may update SigningKeys": c.deployerWho(t, "update"), "who may provide CAs": c.deployerWho(t, "provide-ca"),
	} {
		ca := caConfigMap("guarded-ca", "x")
		if err := as.Create(t.Context(), ca); err != nil {
			t.Fatalf("%s cannot create it: %v", name, err)
		}
		for who, other := range map[string]client.Client{"a deployer": deployer, "who may get SigningKeys": c.deployerWho(t, "get")} {
			for what, err := range map[string]error{
				"create one":      other.Create(t.Context(), caConfigMap("another-ca", "x")),
				"edit it":         other.Patch(t.Context(), ca.DeepCopy(), merge(`{"data":{"ca.crt":"evil"}}`)),
				"replace it":      other.Update(t.Context(), caConfigMap("guarded-ca", "evil")),
				"take it away":    other.Delete(t.Context(), ca.DeepCopy()),
				"label one":       other.Patch(t.Context(), plain.DeepCopy(), label),
				"unlabel it":      other.Patch(t.Context(), ca.DeepCopy(), unlabel),
				"delete them all": other.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(keyNamespace), client.MatchingLabels{contract.RoleLabel: contract.RoleIssuerCA}),
			} {
				if !refusedBy(err, policy) {
					t.Errorf("%s may %s: %v", who, what, err)
				}
			}
		}
		for what, err := range map[string]error{
			"label one":    as.Patch(t.Context(), plain.DeepCopy(), label, client.DryRunAll),
			"edit it":      as.Patch(t.Context(), ca.DeepCopy(), merge(`{"data":{"ca.crt":"another"}}`)),
			"unlabel it":   as.Patch(t.Context(), ca.DeepCopy(), unlabel, client.DryRunAll),
			"take it away": as.Delete(t.Context(), ca.DeepCopy()),
		} {
			if err != nil {
				t.Errorf("%s cannot %s: %v", name, what, err)
			}
		}
	}
	controller := c.as(t, "system:serviceaccount:"+keyNamespace+":keywright-controller")
	labelled := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"a.json": "{}"}, "metadata": map[string]any{
			"namespace": keyNamespace, "name": contract.JWKSConfigMap, "labels": map[string]any{contract.RoleLabel: contract.RoleIssuerCA},
		},
	}}
	if err := controller.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(labelled), client.FieldOwner("test"), client.DryRunAll); err != nil {
		t.Errorf("a label on the keys keeps the controller from writing them: %v", err)
	}
	if err := c.admin.Create(t.Context(), caConfigMap("guarded-ca", "x")); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"generic-garbage-collector", "namespace-controller"} {
		as := c.as(t, "system:serviceaccount:kube-system:"+who, "system:masters")
		if err := as.Delete(t.Context(), caConfigMap("guarded-ca", ""), client.DryRunAll); err != nil {
			t.Errorf("the %s cannot delete it: %v", who, err)
		}
	}
	if err := c.admin.Delete(t.Context(), caConfigMap("guarded-ca", "")); err != nil {
		t.Error(err)
	}
}

// The released controller, with only its permissions, distributes the CA to a namespace, and updates it.
func TestCAOfTheIssuer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first, _ := issuercatest.New(t, "first")
	second, _ := issuercatest.New(t, "second")
	source := caConfigMap(s.name+"-ca", first)
	s.on.create(t, source)
	t.Cleanup(func() { _ = s.on.admin.Delete(context.WithoutCancel(t.Context()), source) })
	s.run()
	s.signingKey()
	s.patch(`{"spec":{"distribution":{"caConfigMap":{"name":%q}}}}`, source.Name)
	holds := func(want ...string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			var cm corev1.ConfigMap
			err := s.on.admin.Get(ctx, client.ObjectKey{Namespace: s.target, Name: contract.JWKSConfigMap}, &cm)
			text := cm.Data[s.name+contract.CASuffix]
			for _, one := range want {
				if !strings.Contains(text, one) {
					return false
				}
			}
			return err == nil && len(text) == len(strings.Join(want, ""))
		}
	}
	is := func(want string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			key := s.on.signingKey(ctx, s.name)
			c := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionCADistributed)
			return c != nil && string(c.Status)+" "+c.Reason == want
		}
	}
	until(t, "the CA", 30*time.Second, holds(first))
	until(t, "the condition", 30*time.Second, is("True InSync"))
	change := func(f func(*corev1.ConfigMap)) {
		t.Helper()
		f(source)
		if err := s.on.admin.Update(t.Context(), source); err != nil {
			t.Fatal(err)
		}
	}
	s.patch(`{"spec":{"rotation":{"interval":"1h"},"distribution":{"propagationDelay":"5s"}}}`)
	change(func(cm *corev1.ConfigMap) { cm.Data["ca.crt"] = second })
	until(t, "both CAs", 4*time.Second, holds(first, second))
	until(t, "the next CA alone", 30*time.Second, holds(second))
	change(func(cm *corev1.ConfigMap) { cm.Labels = nil })
	until(t, "the condition of a CA without its label", 30*time.Second, is("False CANotFound"))
	if !holds(second)(t.Context()) {
		t.Error("the CA went with the label")
	}
	change(func(cm *corev1.ConfigMap) { cm.Labels = map[string]string{contract.RoleLabel: contract.RoleIssuerCA} })
	until(t, "the condition", 30*time.Second, is("True InSync"))
}

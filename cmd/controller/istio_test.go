package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

const istioPolicy = "keywright-istio"

// installIstio installs the unchanged CRD of Istio.
func (c *cluster) installIstio(t *testing.T) {
	t.Helper()
	crds := envtest.CRDInstallOptions{Paths: []string{"../../controllers/istio/testdata"}, ErrorIfPathMissing: true, MaxTime: time.Minute, PollInterval: 100 * time.Millisecond}
	if _, err := envtest.InstallCRDs(c.Config, crds); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		crd := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "requestauthentications.security.istio.io"}}
		crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		err := envtest.UninstallCRDs(c.Config, crds)
		gone := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			return apierrors.IsNotFound(c.admin.Get(ctx, client.ObjectKeyFromObject(crd), crd)), nil
		})
		if err != nil || gone != nil {
			t.Error(err, gone)
		}
	})
}

// withIstio applies config/istio until the test ends.
func (c *cluster) withIstio(t *testing.T) {
	t.Helper()
	c.apply(t, "istio")
	t.Cleanup(func() {
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "keywright-controller-istio"}}
		_ = c.admin.Delete(context.WithoutCancel(t.Context()), binding)
	})
}

// withoutIstioPolicy removes the policy, so that a test can write RequestAuthentications like an attacker who bypasses
// it.
func (c *cluster) withoutIstioPolicy(t *testing.T) {
	t.Helper()
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: istioPolicy}}
	if err := client.IgnoreNotFound(c.admin.Delete(t.Context(), binding)); err != nil {
		t.Fatal(err)
	}
	until(t, "the policy out of force", 30*time.Second, func(ctx context.Context) bool {
		return c.admin.Create(ctx, requestAuthentication("default", "keywright-none"), client.DryRunAll) == nil
	})
}

// requestAuthentication returns one that an attacker could write.
func requestAuthentication(namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"jwtRules": []any{
		map[string]any{"issuer": "https://evil.example.com", "jwks": `{"keys":[]}`},
	}}}}
	o.SetAPIVersion("security.istio.io/v1")
	o.SetKind("RequestAuthentication")
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

// proxied returns the RequestAuthentication of a SigningKey, nil if there is none.
func (c *cluster) proxied(ctx context.Context, namespace, name string) *unstructured.Unstructured {
	o := requestAuthentication(namespace, "keywright-"+name)
	if err := c.admin.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
		return nil
	}
	return o
}

// follows reports whether the RequestAuthentication of a namespace is as documented, with the keys of its file.
func (c *cluster) follows(ctx context.Context, namespace, name string) bool {
	o := c.proxied(ctx, namespace, name)
	if o == nil {
		return false
	}
	want, _ := json.Marshal(map[string]any{"jwtRules": []any{map[string]any{
		"issuer": "https://issuer.example.com", "audiences": []any{"https://" + name + ".example.com"}, "jwks": c.published(ctx, namespace, name),
		"forwardOriginalToken": true,
	}}})
	got, _ := json.Marshal(o.Object["spec"])
	return string(got) == string(want) && o.GetLabels()[contract.ManagedByLabel] == contract.ManagedBy
}

// meshed returns a SigningKey for the namespaces with its label. Those with mesh=<name> get a RequestAuthentication.
func meshed(name string) *keywrightv1alpha1.SigningKey {
	key := signingKeyFor(name, &metav1.LabelSelector{MatchLabels: map[string]string{"mesh-test": name}})
	key.Spec.Outputs = &keywrightv1alpha1.Outputs{Istio: &keywrightv1alpha1.IstioOutput{
		Issuer: "https://issuer.example.com", Audiences: []string{"https://" + name + ".example.com"},
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"mesh": name}},
	}}
	return key
}

func meshNamespace(namespace, name string, asks bool) *corev1.Namespace {
	labels := map[string]string{"mesh-test": name}
	if asks {
		labels["mesh"] = name
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: labels}}
}

func (c *cluster) istioCondition(ctx context.Context, name string) string {
	key := c.signingKey(ctx, name)
	condition := meta.FindStatusCondition(key.Status.Conditions, keywrightv1alpha1.ConditionIstioDistributed)
	if condition == nil {
		return "none"
	}
	return string(condition.Status) + " " + condition.Reason
}

// With the permissions of config/istio, the RequestAuthentications of selected namespaces are updated with the files,
// through writes of other clients, a rotation, a revocation and the deletion, and no request of the controller is
// forbidden.
func TestProxiesAreGivenTheKeysOfTheFile(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.installIstio(t)
	c.withIstio(t)
	c.withoutIstioPolicy(t)
	const name = "meshed"
	c.create(t, meshNamespace("mesh-in", name, true), meshNamespace("mesh-out", name, false))
	began := time.Now()
	c.runWith(t, c.file("kubeconfig"), "--istio", "--leader-elect=false")
	c.create(t, meshed(name))
	until(t, "given", 20*time.Second, func(ctx context.Context) bool {
		key := c.signingKey(ctx, name)
		return ready(&key) && len(key.Status.Keys) == 2 && c.follows(ctx, "mesh-in", name) && c.istioCondition(ctx, name) == "True InSync"
	})
	if c.proxied(t.Context(), "mesh-out", name) != nil || c.proxied(t.Context(), keyNamespace, name) != nil {
		t.Error("a namespace that did not ask has one")
	}
	t.Run("SteadyStateIsSilent", func(t *testing.T) {
		let := func(pass time.Duration) {
			passed, cancel := context.WithTimeout(t.Context(), pass)
			defer cancel()
			<-passed.Done()
		}
		let(2 * time.Second)
		since := time.Now()
		let(5 * time.Second)
		for _, r := range c.audited(t, since) {
			if r.write() {
				t.Errorf("nothing was to do, and the controller wrote: %s", r)
			}
		}
	})
	t.Run("Strangers", func(t *testing.T) { c.putsProxiesRight(t, name) })
	t.Run("Revoke", func(t *testing.T) {
		key := c.signingKey(t.Context(), name)
		kid := key.Status.ActiveKeyID
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"revokedKeyIDs":["`+kid+`"]}}`))
		if err := c.admin.Patch(t.Context(), &key, patch); err != nil {
			t.Fatal(err)
		}
		revoked := time.Now()
		until(t, "without the key", 20*time.Second, func(ctx context.Context) bool {
			return !strings.Contains(c.published(ctx, "mesh-in", name), kid) && c.follows(ctx, "mesh-in", name)
		})
		t.Logf("without the key %v after the revocation", time.Since(revoked).Round(time.Millisecond))
		until(t, "receipt", 20*time.Second, func(ctx context.Context) bool {
			all := c.signingKey(ctx, name).Status.Revocations
			return len(all) == 1 && all[0].RemovedAt != nil
		})
	})
	t.Run("OptOutAndIn", func(t *testing.T) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "mesh-in"}}
		label := func(value string) {
			if err := c.admin.Patch(t.Context(), ns, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"mesh":`+value+`}}}`))); err != nil {
				t.Fatal(err)
			}
		}
		label("null")
		until(t, "gone", 20*time.Second, func(ctx context.Context) bool { return c.proxied(ctx, "mesh-in", name) == nil })
		until(t, "said", 20*time.Second, func(ctx context.Context) bool { return c.istioCondition(ctx, name) == "True NoTargets" })
		if !strings.Contains(c.published(t.Context(), "mesh-in", name), c.signingKey(t.Context(), name).Status.ActiveKeyID) {
			t.Error("its file went, too")
		}
		label(`"` + name + `"`)
		until(t, "back", 20*time.Second, func(ctx context.Context) bool { return c.follows(ctx, "mesh-in", name) })
	})
	t.Run("OutputTakenAway", func(t *testing.T) {
		key := c.signingKey(t.Context(), name)
		if err := c.admin.Patch(t.Context(), &key, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"outputs":null}}`))); err != nil {
			t.Fatal(err)
		}
		until(t, "gone", 20*time.Second, func(ctx context.Context) bool {
			return c.proxied(ctx, "mesh-in", name) == nil && c.istioCondition(ctx, name) == "none"
		})
	})
	t.Run("NothingWasForbidden", func(t *testing.T) {
		for _, r := range c.audited(t, began) {
			if r.ResponseStatus.Code == 403 {
				t.Errorf("the controller asked for what it may not: %s", r)
			}
		}
	})
}

// putsProxiesRight checks that changes by other clients are reverted.
func (c *cluster) putsProxiesRight(t *testing.T, name string) {
	stranger := c.proxied(t.Context(), "mesh-in", name)
	for what, patch := range map[string]string{
		"their keys":             `{"spec":{"jwtRules":[{"issuer":"https://issuer.example.com","jwks":"{\"keys\":[]}"}]}}`,
		"a selector":             `{"spec":{"selector":{"matchLabels":{"app":"none"}}}}`,
		"an owner":               `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"none","uid":"none"}]}}`,
		"no label":               `{"metadata":{"labels":{"` + contract.ManagedByLabel + `":null}}}`,
		"no label and no keys":   `{"metadata":{"labels":{"` + contract.ManagedByLabel + `":null}},"spec":{"jwtRules":[]}}`,
		"a finalizer of its own": `{"metadata":{"finalizers":["example.com/mine"]}}`,
	} {
		if err := c.admin.Patch(t.Context(), stranger, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Fatal(err)
		}
		until(t, "right after "+what, 20*time.Second, func(ctx context.Context) bool {
			now := c.proxied(ctx, "mesh-in", name)
			return c.follows(ctx, "mesh-in", name) && len(now.GetOwnerReferences())+len(now.GetFinalizers()) == 0
		})
	}
	if err := c.admin.Delete(t.Context(), stranger); err != nil {
		t.Fatal(err)
	}
	until(t, "back", 20*time.Second, func(ctx context.Context) bool { return c.follows(ctx, "mesh-in", name) })
}

// hangs installs a webhook for RequestAuthentications that does not respond, like that of a hanging istiod.
func (c *cluster) hangs(t *testing.T) (end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") // it accepts connections, and does not respond
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	webhook := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "stuck"}, Webhooks: []admissionv1.ValidatingWebhook{{
		Name: "stuck.istio.io", AdmissionReviewVersions: []string{"v1"}, SideEffects: new(admissionv1.SideEffectClassNone), TimeoutSeconds: new(int32(10)),
		ClientConfig: admissionv1.WebhookClientConfig{URL: new("https://" + l.Addr().String())},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
			Rule:       admissionv1.Rule{APIGroups: []string{"security.istio.io"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
		}},
	}}}
	c.create(t, webhook)
	end = func() { _ = c.admin.Delete(context.WithoutCancel(t.Context()), webhook) }
	t.Cleanup(end)
	until(t, "the webhook in force", 30*time.Second, func(ctx context.Context) bool {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return c.admin.Create(ctx, requestAuthentication("default", "asks"), client.DryRunAll) != nil
	})
	return end
}

// An istiod that does not respond does not delay ConfigMaps. Its RequestAuthentications are written when it responds
// again.
func TestStuckIstioHoldsUpNoConfigMap(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.installIstio(t)
	c.withIstio(t)
	const name = "stuck"
	var namespaces []string
	for i := range 12 { // more than are written in parallel
		namespaces = append(namespaces, fmt.Sprintf("stuck-%d", i))
		c.create(t, meshNamespace(namespaces[i], name, true))
	}
	c.runWith(t, c.file("kubeconfig"), "--istio", "--leader-elect=false")
	c.create(t, meshed(name))
	all := func(ctx context.Context, is func(context.Context, string) bool) bool {
		return !slices.ContainsFunc(namespaces, func(namespace string) bool { return !is(ctx, namespace) })
	}
	following := func(ctx context.Context, namespace string) bool { return c.follows(ctx, namespace, name) }
	until(t, "given", 30*time.Second, func(ctx context.Context) bool {
		key := c.signingKey(ctx, name)
		return ready(&key) && len(key.Status.Keys) == 2 && all(ctx, following)
	})
	end := c.hangs(t)
	key := c.signingKey(t.Context(), name)
	kid := key.Status.ActiveKeyID
	if err := c.admin.Patch(t.Context(), &key, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"revokedKeyIDs":["`+kid+`"]}}`))); err != nil {
		t.Fatal(err)
	}
	until(t, "out of every file", 5*time.Second, func(ctx context.Context) bool {
		return all(ctx, func(ctx context.Context, namespace string) bool {
			return !strings.Contains(c.published(ctx, namespace, name), kid)
		})
	})
	until(t, "said", 30*time.Second, func(ctx context.Context) bool {
		now := c.signingKey(ctx, name)
		said := meta.FindStatusCondition(now.Status.Conditions, keywrightv1alpha1.ConditionIstioDistributed)
		return said != nil && said.Reason == keywrightv1alpha1.ReasonTargetsBehind && strings.Contains(said.Message, "stuck.istio.io")
	})
	end()
	until(t, "done", 90*time.Second, func(ctx context.Context) bool {
		return all(ctx, following) && c.istioCondition(ctx, name) == "True InSync"
	})
}

// Without Istio, keys are distributed as usual. If Istio is installed or removed later, the controller detects it
// without a restart.
func TestIstioMayComeLater(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.withIstio(t)
	const name = "later"
	c.create(t, meshNamespace("later-in", name, true))
	c.runWith(t, c.file("kubeconfig"), "--istio", "--leader-elect=false")
	c.create(t, meshed(name))
	until(t, "said", 20*time.Second, func(ctx context.Context) bool {
		key := c.signingKey(ctx, name)
		return ready(&key) && c.istioCondition(ctx, name) == "False IstioNotInstalled"
	})
	t.Run("Installed", func(t *testing.T) {
		c.installIstio(t)
		until(t, "given", 90*time.Second, func(ctx context.Context) bool {
			return c.follows(ctx, "later-in", name) && c.istioCondition(ctx, name) == "True InSync"
		})
	})
	until(t, "gone again", 90*time.Second, func(ctx context.Context) bool { return c.istioCondition(ctx, name) == "False IstioNotInstalled" })
}

// A controller without the flag, or without the permission, reports that, and still distributes the files.
func TestIstioNeedsAFlagAndAPermission(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	c.installIstio(t)
	const name = "rightless"
	c.create(t, meshNamespace("rightless-in", name, true))
	c.create(t, meshed(name))
	for want, flags := range map[string][]string{"False IstioNotEnabled": {"--leader-elect=false"}, "False IstioForbidden": {"--istio", "--leader-elect=false"}} {
		controller := c.runWith(t, c.file("kubeconfig"), flags...)
		until(t, want, 20*time.Second, func(ctx context.Context) bool { return c.istioCondition(ctx, name) == want })
		until(t, "the file", 20*time.Second, func(ctx context.Context) bool {
			keys := c.signingKey(ctx, name).Status.Keys
			return len(keys) > 0 && strings.Contains(c.published(ctx, "rightless-in", name), keys[0].KeyID)
		})
		controller.kill()
	}
	c.runWith(t, c.file("kubeconfig"), "--istio", "--leader-elect=false")
	until(t, "signing", 90*time.Second, func(ctx context.Context) bool { // the first key waits a minute for unreachable targets
		key := c.signingKey(ctx, name)
		return meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionReady)
	})
}

// Only the controller can write the RequestAuthentications with keys, by any kind of request, and the controller can
// write no others.
func TestOnlyTheControllerWritesRequestAuthentications(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.installIstio(t)
	c.withIstio(t)
	c.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "guarded-mesh"}})
	const ns = "guarded-mesh"
	ours := func() *unstructured.Unstructured { return requestAuthentication(ns, "keywright-main") }
	labelled := func(name string) *unstructured.Unstructured {
		o := requestAuthentication(ns, name)
		o.SetLabels(map[string]string{contract.ManagedByLabel: contract.ManagedBy})
		return o
	}
	generated := func(prefix string) *unstructured.Unstructured {
		o := requestAuthentication(ns, "")
		o.SetGenerateName(prefix)
		return o
	}
	older := func() *unstructured.Unstructured { o := ours(); o.SetAPIVersion("security.istio.io/v1beta1"); return o }
	c.inForce(t, istioPolicy, func(ctx context.Context) error { return c.admin.Create(ctx, ours(), client.DryRunAll) })
	controller, err := client.New(c.asController.Config(), client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the right", 10*time.Second, func(ctx context.Context) bool {
		return !apierrors.IsForbidden(controller.Create(ctx, labelled("keywright-main")))
	})
	theirs := requestAuthentication(ns, "theirs")
	if err := c.admin.Create(t.Context(), theirs); err != nil {
		t.Fatalf("somebody else cannot create another one: %v", err)
	}
	refused := func(who string, attempts map[string]error) {
		t.Helper()
		for what, err := range attempts {
			if !refusedBy(err, istioPolicy) {
				t.Errorf("%s may %s: %v", who, what, err)
			}
		}
	}
	keys := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"jwtRules":[]}}`))
	apply := func(name string) client.Patch {
		return client.RawPatch(types.ApplyPatchType, []byte(`{"apiVersion":"security.istio.io/v1","kind":"RequestAuthentication","metadata":{"name":"`+name+`"},"spec":{"jwtRules":[]}}`))
	}
	stolen := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"`+contract.ManagedByLabel+`":"`+contract.ManagedBy+`"}}}`))
	freed := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`))
	owned := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"none","uid":"none"}]}}`))
	for who, as := range map[string]client.Client{"an admin": c.admin, "the namespace controller": c.as(t, "system:serviceaccount:kube-system:namespace-controller", "system:masters")} {
		replaced := ours()
		if err := c.admin.Get(t.Context(), client.ObjectKeyFromObject(replaced), replaced); err != nil {
			t.Fatal(err)
		}
		refused(who, map[string]error{
			"create a reserved name":              as.Create(t.Context(), requestAuthentication(ns, "keywright-new")),
			"generate a reserved name":            as.Create(t.Context(), generated("keywright-")),
			"generate a name that becomes one":    as.Create(t.Context(), generated("keywright-m")),
			"create one by the older version":     as.Create(t.Context(), older()),
			"create one that looks like ours":     as.Create(t.Context(), labelled("another")),
			"let another one look like ours":      as.Patch(t.Context(), requestAuthentication(ns, "theirs"), stolen),
			"edit it":                             as.Patch(t.Context(), ours(), keys),
			"edit it by the older version":        as.Patch(t.Context(), older(), keys),
			"take its label":                      as.Patch(t.Context(), ours(), freed),
			"give it an owner that does not live": as.Patch(t.Context(), ours(), owned),
			"apply it":                            as.Patch(t.Context(), ours(), apply("keywright-main"), client.FieldOwner("evil"), client.ForceOwnership),
			"apply a new one":                     as.Patch(t.Context(), requestAuthentication(ns, "keywright-new"), apply("keywright-new"), client.FieldOwner("evil")),
			"replace it":                          as.Update(t.Context(), replaced),
		})
	}
	refused("an admin", map[string]error{
		"delete it":                      c.admin.Delete(t.Context(), ours()),
		"delete it by the older version": c.admin.Delete(t.Context(), older()),
		"delete all of them":             c.admin.DeleteAllOf(t.Context(), ours(), client.InNamespace(ns), client.MatchingLabels{contract.ManagedByLabel: contract.ManagedBy}),
	})
	refused("the controller", map[string]error{
		"create one of another name": controller.Create(t.Context(), labelled("another")),
		"generate another name":      controller.Create(t.Context(), generated("key")),
		"replace another one":        controller.Update(t.Context(), theirs),
		"delete another one":         controller.Delete(t.Context(), theirs),
	})
	if err := c.as(t, "system:serviceaccount:kube-system:namespace-controller", "system:masters").Delete(t.Context(), ours()); err != nil {
		t.Errorf("the namespace controller cannot delete it, and no namespace would ever end: %v", err)
	}
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The manifests of docs/tenants.md allow a tenant to change its own SigningKey, and no other one.
func TestTenantManagesItsOwnKey(t *testing.T) {
	c := borrow(t)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tenants.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)<!-- run: tenants -->\n```yaml\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no manifests")
	}
	apply := func(o client.Object) {
		t.Helper()
		if err := c.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.admin.Delete(context.Background(), o) })
	}
	for text := range strings.SplitSeq(string(block[1]), "---\n") {
		var o unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		apply(&o)
	}
	other := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "tenant-b"}}
	other.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "b"}}
	apply(other)
	user, err := c.AddUser(envtest.User{Name: "somebody", Groups: []string{"tenant-a"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := client.New(user.Config(), client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	var own keywrightv1alpha1.SigningKey
	if err := tenant.Get(t.Context(), client.ObjectKey{Name: "tenant-a"}, &own); err != nil {
		t.Fatal(err)
	}
	before := own.DeepCopy()
	own.Spec.RevokedKeyIDs = []string{strings.Repeat("A", 43)}
	if err := tenant.Patch(t.Context(), &own, client.MergeFrom(before)); err != nil {
		t.Error(err)
	}
	more := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "tenant-a-more"}, Spec: *own.Spec.DeepCopy()}
	for what, err := range map[string]error{
		"read another":   tenant.Get(t.Context(), client.ObjectKey{Name: "tenant-b"}, &keywrightv1alpha1.SigningKey{}),
		"change another": tenant.Update(t.Context(), other.DeepCopy()),
		"create one":     tenant.Create(t.Context(), more),
		"delete its own": tenant.Delete(t.Context(), own.DeepCopy()),
		"list all":       tenant.List(t.Context(), &keywrightv1alpha1.SigningKeyList{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A tenant gives its keys to no gateway or sidecar without a verb of its own, and extends no such grant of an admin to further namespaces. It
// still rotates and revokes.
func TestTenantReachesNoGateway(t *testing.T) {
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-gateways"
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "tenant-c"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tenant": "c"}}
	c.create(t, key)
	t.Cleanup(func() { _ = c.admin.Delete(context.Background(), key) })
	change := func(verbs ...string) client.Client {
		name := "changes-tenant-c-" + strings.Join(verbs, "-")
		c.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, ResourceNames: []string{"tenant-c"}, Verbs: append(verbs, "get", "patch"),
		}}}, boundTo(name, name))
		return c.as(t, name)
	}
	tenant, trusted, other := change(), change("configure-gateways"), change("mount")
	patch := func(as client.Client, spec string) error {
		return as.Patch(t.Context(), key.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`)), client.DryRunAll)
	}
	const (
		entry    = `{"distribution":{"gatewayEntry":true}}`
		istio    = `{"outputs":{"istio":{"issuer":"https://issuer.example.com","audiences":["a"],"selector":{"matchLabels":{"a":"b"}}}}}`
		reselect = `{"distribution":{"namespaceSelector":{"matchLabels":{"tenant":"d"}}}}`
		neither  = `{"distribution":{"gatewayEntry":false},"outputs":null}`
		revoke   = `{"revokedKeyIDs":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],"rotation":{"interval":"48h"}}`
	)
	c.inForce(t, policy, func(context.Context) error { return patch(tenant, entry) })
	want := func(when string, as client.Client, spec string, refused bool) {
		t.Helper()
		if err := patch(as, spec); refused != refusedBy(err, policy) || !refused && err != nil {
			t.Errorf("%s, %s: %v", when, spec, err)
		}
	}
	for _, as := range []client.Client{tenant, other} {
		want("without the fields", as, entry, true)
		want("without the fields", as, istio, true)
		want("without the fields", as, reselect, false)
		want("without the fields", as, revoke, false)
	}
	for _, as := range []client.Client{trusted, c.admin} {
		want("with the verb", as, entry, false)
		want("with the verb", as, istio, false)
	}
	for _, given := range []string{entry, istio} {
		if err := c.admin.Patch(t.Context(), key, client.RawPatch(types.MergePatchType, []byte(`{"spec":`+given+`}`))); err != nil {
			t.Fatal(err)
		}
		want("an admin has set "+given, tenant, reselect, true)
		want("an admin has set "+given, tenant, neither, true)
		want("an admin has set "+given, tenant, given, false) // nothing changes
		want("an admin has set "+given, tenant, revoke, false)
		want("an admin has set "+given, trusted, reselect, false)
		if err := c.admin.Patch(t.Context(), key, client.RawPatch(types.MergePatchType, []byte(`{"spec":`+neither+`}`))); err != nil {
			t.Fatal(err)
		}
	}
	created := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "tenant-c-2"}}
	created.Spec.Distribution = key.Spec.Distribution
	created.Spec.Distribution.GatewayEntry = true
	name := "creates-keys"
	c.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, Verbs: []string{"create"},
	}}}, boundTo(name, name))
	if err := c.as(t, name).Create(t.Context(), created, client.DryRunAll); !refusedBy(err, policy) {
		t.Errorf("a SigningKey with gatewayEntry is created without the verb: %v", err)
	}
	c.create(t, boundTo("keywright-signingkey-editor", "editor"))
	if err := c.as(t, "editor").Create(t.Context(), created, client.DryRunAll); err != nil {
		t.Errorf("the editor of SigningKeys: %v", err)
	}
}

package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The manifests of docs/tenants.md allow a tenant to change its own SigningKey, and no other one.
func TestTenantSteersItsOwnKey(t *testing.T) {
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

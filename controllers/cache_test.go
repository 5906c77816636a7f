package controllers

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEqualTextsShareTheirBytes(t *testing.T) {
	s := newSharer()
	of := func(n int) *corev1.ConfigMap {
		cm := &corev1.ConfigMap{Data: map[string]string{"main.json": strings.Clone(fmt.Sprintf("keys %d", n))}}
		cm.Labels = map[string]string{"a": "b"}
		cm.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
		got, err := s.configMap(cm)
		if err != nil || got != any(cm) || cm.ManagedFields != nil || cm.Labels["a"] != "b" {
			t.Fatalf("%v %v", got, err)
		}
		return cm
	}
	bytes := func(cm *corev1.ConfigMap) *byte { return unsafe.StringData(cm.Data["main.json"]) }
	one, same := of(1), of(1)
	if bytes(one) != bytes(same) {
		t.Error("two equal texts are kept twice")
	}
	if of(1).Data["main.json"] != "keys 1" || of(2).Data["main.json"] != "keys 2" {
		t.Error("a text was changed")
	}
	for n := range 3 * maxShared {
		of(n)
	}
	if len(s.known) > maxShared {
		t.Errorf("%d texts are remembered", len(s.known))
	}
	long := strings.Repeat("x", longestShared+1)
	if s.one(long) != long || s.known[long] != "" {
		t.Error("a text that is too long is remembered")
	}
}

func TestNamespacesKeepTheirLabelsOnly(t *testing.T) {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", ResourceVersion: "7", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"large": "x"},
	}}
	if _, err := newSharer().namespace(m); err != nil {
		t.Fatal(err)
	}
	if m.Name != "shop" || m.ResourceVersion != "7" || !maps.Equal(m.Labels, map[string]string{"a": "b"}) || m.Annotations != nil {
		t.Errorf("%+v", m)
	}
}

package controllers

import (
	"fmt"
	"maps"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestEqualMapsAreOne(t *testing.T) {
	s := &sharer{}
	of := func(n int) *corev1.ConfigMap {
		cm := &corev1.ConfigMap{Data: map[string]string{"main.json": fmt.Sprintf("keys %d", n), "other.json": "keys"}}
		cm.Labels = map[string]string{"a": "b"}
		cm.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "x"}}
		got, err := s.configMap(cm)
		if err != nil || got != any(cm) || cm.ManagedFields != nil || cm.Labels["a"] != "b" || cm.Annotations != nil {
			t.Fatalf("%v %v", got, err)
		}
		return cm
	}
	address := func(m map[string]string) uintptr { return reflect.ValueOf(m).Pointer() }
	one, same, different := of(1), of(1), of(2)
	if address(one.Data) != address(same.Data) || address(one.Labels) != address(different.Labels) {
		t.Error("two equal maps are kept twice")
	}
	if one.Data["main.json"] != "keys 1" || different.Data["main.json"] != "keys 2" {
		t.Error("a map was changed")
	}
	if address(s.one(map[string]string{"a": "bc"})) == address(s.one(map[string]string{"ab": "c"})) {
		t.Error("two maps of the same letters are one")
	}
}

func TestNamespacesKeepTheirLabelsOnly(t *testing.T) {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "shop", ResourceVersion: "7", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"large": "x"},
	}}
	if _, err := (&sharer{}).namespace(m); err != nil {
		t.Fatal(err)
	}
	if m.Name != "shop" || m.ResourceVersion != "7" || !maps.Equal(m.Labels, map[string]string{"a": "b"}) || m.Annotations != nil {
		t.Errorf("%+v", m)
	}
}

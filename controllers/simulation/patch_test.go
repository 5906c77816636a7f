package simulation

import (
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// patch applies a JSON merge patch (RFC 7386). A resourceVersion in it is a precondition.
func (s *store) patch(r ref, data []byte) (client.Object, error) {
	old, err := s.get(r)
	if err != nil {
		return nil, err
	}
	var patch, doc any
	b, err := json.Marshal(old)
	if err == nil {
		err = json.Unmarshal(b, &doc)
	}
	if err == nil {
		err = json.Unmarshal(data, &patch)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if b, err = json.Marshal(merged(doc, patch)); err != nil {
		return nil, err
	}
	next := emptyOf(r.kind)
	if err := json.Unmarshal(b, next); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return s.update(next, false)
}

func merged(doc, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	into, ok := doc.(map[string]any)
	if !ok {
		into = map[string]any{}
	}
	for k, v := range changes {
		if v == nil {
			delete(into, k)
		} else {
			into[k] = merged(into[k], v)
		}
	}
	return into
}

func emptyOf(kind string) client.Object {
	switch kind {
	case kindSigningKey:
		return &keywrightv1alpha1.SigningKey{}
	case kindRevocation:
		return &keywrightv1alpha1.Revocation{}
	case kindTrusted:
		return &keywrightv1alpha1.TrustedIssuer{}
	case kindNamespace:
		return &corev1.Namespace{}
	case kindSecret:
		return &corev1.Secret{}
	case kindConfigMap, kindFetched:
		return &corev1.ConfigMap{}
	default:
		return &corev1.Pod{}
	}
}

// apply is a server-side apply of a ConfigMap. The client that created it by an apply may apply again. For others, an
// existing field with another value is a conflict.
func (s *store) apply(cm *corev1.ConfigMap, manager string) (client.Object, error) {
	r := refOf(cm)
	stands, err := s.get(r)
	if apierrors.IsNotFound(err) {
		created, err := s.create(cm)
		if err == nil {
			s.appliers[r] = manager
		}
		return created, err
	}
	old := stands.(*corev1.ConfigMap)
	next := old.DeepCopy()
	if s.appliers[r] == manager {
		next.Data, next.Labels, next.Annotations = cm.Data, cm.Labels, cm.Annotations
	} else if !within(cm.Data, old.Data) || !within(cm.Labels, old.Labels) || !within(cm.Annotations, old.Annotations) {
		return nil, apierrors.NewApplyConflict([]metav1.StatusCause{}, fmt.Sprintf("Apply failed with conflicts on %s", r))
	} else {
		next.Data, next.Labels, next.Annotations = mixed(old.Data, cm.Data), mixed(old.Labels, cm.Labels), mixed(old.Annotations, cm.Annotations)
	}
	if err := immutable(r, old, next); err != nil {
		return nil, err
	}
	return s.replace(old, normal(next))
}

// within reports whether all members of a have the same value in b, or are missing there.
func within(a, b map[string]string) bool {
	for k, v := range a {
		if was, ok := b[k]; ok && was != v {
			return false
		}
	}
	return true
}

func mixed(a, b map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

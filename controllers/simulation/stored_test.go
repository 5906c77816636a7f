package simulation

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// normal returns a copy of an object as the API server stores it: without empty maps, and with times in seconds.
func normal(o client.Object) client.Object {
	next := o.DeepCopyObject().(client.Object)
	next.SetManagedFields(nil)
	next.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	if len(next.GetLabels()) == 0 {
		next.SetLabels(nil)
	}
	if len(next.GetAnnotations()) == 0 {
		next.SetAnnotations(nil)
	}
	switch typed := next.(type) {
	case *keywrightv1alpha1.SigningKey:
		return throughJSON(typed, &keywrightv1alpha1.SigningKey{})
	case *keywrightv1alpha1.TrustedIssuer:
		return throughJSON(typed, &keywrightv1alpha1.TrustedIssuer{})
	case *keywrightv1alpha1.Revocation:
		stored := typed.DeepCopy() // times have whole seconds already
		return stored
	case *corev1.Secret:
		if len(typed.Data) == 0 {
			typed.Data = nil
		}
	case *corev1.ConfigMap:
		if len(typed.Data) == 0 {
			typed.Data = nil
		}
	}
	return next
}

func throughJSON(o, into client.Object) client.Object {
	b, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		panic(err)
	}
	into.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	return into
}

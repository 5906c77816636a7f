package main

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The fetcher has only the permissions that the other tests need.
func TestFetcherPermissions(t *testing.T) {
	w := newWorld(t, "rights")
	as := cluster.asFetcher
	in := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "planted"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: "planted"}}
	ti.Spec.Issuer, ti.Spec.Keys.Inline, ti.Spec.Distribution.NamespaceSelector = "https://evil.example", "{}", key.Spec.Distribution.NamespaceSelector
	revocation := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{Name: "planted"}}
	revocation.Spec.SigningKey, revocation.Spec.TokenID = "main", "one"
	pod := &corev1.Pod{ObjectMeta: in(keyNamespace, "planted"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}}}
	for name, try := range map[string]func() error{
		"read a Secret": func() error {
			return as.Get(t.Context(), client.ObjectKey{Namespace: keyNamespace, Name: "main-keyring"}, &corev1.Secret{})
		},
		"list Secrets":    func() error { return as.List(t.Context(), &corev1.SecretList{}, client.InNamespace(keyNamespace)) },
		"create a Secret": func() error { return as.Create(t.Context(), &corev1.Secret{ObjectMeta: in(keyNamespace, "planted")}) },
		"write what pods trust": func() error {
			return as.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: in(w.target, contract.JWKSConfigMap)})
		},
		"change what issuers trust": func() error {
			return as.Update(t.Context(), &corev1.ConfigMap{ObjectMeta: in(keyNamespace, contract.JWKSConfigMap)})
		},
		"create another ConfigMap": func() error {
			return as.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: in(keyNamespace, "planted")})
		},
		"delete its own ConfigMap": func() error {
			return as.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: in(keyNamespace, contract.FetchedConfigMap)})
		},
		"read ConfigMaps elsewhere": func() error {
			return as.Get(t.Context(), client.ObjectKey{Namespace: w.target, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{})
		},
		"create a TrustedIssuer": func() error { return as.Create(t.Context(), ti) },
		"create a SigningKey":    func() error { return as.Create(t.Context(), key) },
		"create a Revocation":    func() error { return as.Create(t.Context(), revocation) },
		"report in a status":     func() error { return as.Status().Update(t.Context(), ti) },
		"run a pod":              func() error { return as.Create(t.Context(), pod) },
		"read pods":              func() error { return as.List(t.Context(), &corev1.PodList{}, client.InNamespace(keyNamespace)) },
		"get a token of the controller": func() error {
			return as.SubResource("token").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: in(keyNamespace, "keywright-controller")}, &corev1.ServiceAccount{})
		},
	} {
		if err := try(); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No other user can write keys for the controller, whatever their permissions in the key namespace.
func TestOnlyTheFetcherHandsOver(t *testing.T) {
	w := newWorld(t, "handover")
	p := newProvider(t, set(newKey(t, "ES256", "one")))
	w.trust("https://handover.example", keywrightv1alpha1.KeySource{URL: p.URL, CABundle: p.ca()})
	w.eventually("the key", func() bool { return w.holds("one") })
	var cm corev1.ConfigMap
	w.must(w.Get(t.Context(), client.ObjectKey{Namespace: keyNamespace, Name: contract.FetchedConfigMap}, &cm))
	cm.Data["more"] = "{}"
	for what, err := range map[string]error{
		"update": w.Update(t.Context(), &cm), "delete": w.Delete(t.Context(), &cm),
		"create": w.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: contract.FetchedConfigMap}}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.must(w.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.target, Name: contract.FetchedConfigMap}})) // has no effect there
}

// In steady state, nothing is written.
func TestSteadyState(t *testing.T) {
	w := newWorld(t, "steady")
	p := newProvider(t, set(newKey(t, "ES256", "one")))
	w.trust("https://steady.example", keywrightv1alpha1.KeySource{URL: p.URL, CABundle: p.ca()})
	w.eventually("the key", func() bool { return w.says(keywrightv1alpha1.ConditionReady, metav1.ConditionTrue, "1 keys") })
	versions := func() []string {
		t.Helper()
		files, ti := corev1.ConfigMap{}, keywrightv1alpha1.TrustedIssuer{}
		w.must(w.Get(t.Context(), client.ObjectKey{Namespace: w.target, Name: contract.JWKSConfigMap}, &files))
		w.must(w.Get(t.Context(), client.ObjectKey{Name: w.name}, &ti))
		return []string{files.ResourceVersion, ti.Status.LastFetchTime.String()}
	}
	time.Sleep(time.Second)
	before := versions()
	w.fetchNow()
	asked := func() int { p.mu.Lock(); defer p.mu.Unlock(); return p.asked }
	w.eventually("another fetch", func() bool { return asked() >= 2 })
	time.Sleep(time.Second)
	if after := versions(); after[0] != before[0] || after[1] != before[1] {
		t.Errorf("written: %v, then %v", before, after)
	}
}

package doctor

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func TestTrustedFindings(t *testing.T) {
	trusted := func(name string, conditions ...metav1.Condition) keywrightv1alpha1.TrustedIssuer {
		return keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: keywrightv1alpha1.TrustedIssuerStatus{Conditions: conditions}}
	}
	ready := metav1.Condition{Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: keywrightv1alpha1.ReasonTrusted}
	p := snapshot{trusted: keywrightv1alpha1.TrustedIssuerList{Items: []keywrightv1alpha1.TrustedIssuer{
		trusted("good", ready), trusted("new"),
		trusted("unfetched", metav1.Condition{Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: keywrightv1alpha1.ReasonNotFetched, Message: "no fetcher"}),
		trusted("old", ready, metav1.Condition{Type: keywrightv1alpha1.ConditionStale, Status: metav1.ConditionTrue, Message: "long ago"}),
	}}}
	if got := strings.Join(p.trustedFindings(), "; "); got != "TrustedIssuer new: no controller has reconciled it: check that one runs; TrustedIssuer unfetched: no fetcher; TrustedIssuer old: long ago" {
		t.Errorf("found %s", got)
	}
	volume := func(entries ...string) corev1.Volume {
		source := &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: contract.JWKSConfigMap}}
		for _, e := range entries {
			source.Items = append(source.Items, corev1.KeyToPath{Key: e, Path: e})
		}
		return corev1.Volume{Name: "keys", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ConfigMap: source}}}}}
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{volume(), volume("good.json", "jwks", "godo.json")}}}
	if got := p.missingEntries(pod); len(got) != 1 || !strings.Contains(got[0], "godo.json") {
		t.Errorf("found %v", got)
	}
	with := keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "with"}}
	with.Spec.Distribution.CAConfigMap = &keywrightv1alpha1.ConfigMapEntry{Name: "ca"}
	p.keys.Items = []keywrightv1alpha1.SigningKey{with, {ObjectMeta: metav1.ObjectMeta{Name: "without"}}}
	pod.Spec.Volumes = []corev1.Volume{volume("with.json", "with.tls-ca.crt", "without.revoked", "without.tls-ca.crt", "good.tls-ca.crt")}
	got := p.missingEntries(pod)
	if len(got) != 2 || !strings.Contains(got[0], "without.tls-ca.crt, which SigningKey without does not have: set its distribution.caConfigMap") || !strings.Contains(got[1], "good.tls-ca.crt") {
		t.Errorf("found %v", got)
	}
}

package doctor

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// keyMetric is the metric with the key that an issuer signs with.
const keyMetric = "keywright_issuer_signing_key_info"

// checkIssuers compares the key that each issuer signs with to the Active key of its SigningKey. It reads the metrics of the pod through
// the API server.
func (s *snapshot) checkIssuers(ctx context.Context, get getter, now time.Time) (findings, unchecked []string) {
	var issuers []*corev1.Pod
	for i := range s.pods.Items {
		if pod := &s.pods.Items[i]; pod.Status.Phase == corev1.PodRunning && s.signingKeyOf(pod) != nil {
			issuers = append(issuers, pod)
		}
	}
	kids, errs := make([]string, len(issuers)), make([]error, len(issuers))
	each(len(issuers), func(i int) { kids[i], errs[i] = activeKeyID(ctx, get, issuers[i]) })
	for i, pod := range issuers {
		key, kid, err := s.signingKeyOf(pod), kids[i], errs[i]
		about := fmt.Sprintf("pod %s/%s", pod.Namespace, pod.Name)
		switch {
		case err != nil:
			unchecked = append(unchecked, fmt.Sprintf("%s: %v", about, err))
		case kid != key.Status.ActiveKeyID && s.overdue(key, now):
			findings = append(findings, fmt.Sprintf("%s: it signs with key %s, although key %s of SigningKey %s has been "+
				"Active for longer than the propagationDelay: its mount is not renewed. Delete the pod", about, kid, key.Status.ActiveKeyID, key.Name))
		}
	}
	return findings, unchecked
}

// signingKeyOf returns the SigningKey whose private key a pod mounts, nil for none.
func (s *snapshot) signingKeyOf(pod *corev1.Pod) *keywrightv1alpha1.SigningKey {
	for i := range pod.Spec.Volumes {
		for _, secret := range secretsOf(&pod.Spec.Volumes[i]) {
			name, is := strings.CutSuffix(secret, contract.SigningKeySuffix)
			at := slices.IndexFunc(s.keys.Items, func(k keywrightv1alpha1.SigningKey) bool { return k.Name == name })
			if is && at >= 0 {
				return &s.keys.Items[at]
			}
		}
	}
	return nil
}

// secretsOf returns the names of the Secrets in a volume.
func secretsOf(v *corev1.Volume) (names []string) {
	if v.Secret != nil {
		names = append(names, v.Secret.SecretName)
	}
	if v.Projected != nil {
		for _, source := range v.Projected.Sources {
			if source.Secret != nil {
				names = append(names, source.Secret.Name)
			}
		}
	}
	return names
}

// overdue reports whether every issuer should have read the Active key.
func (s *snapshot) overdue(key *keywrightv1alpha1.SigningKey, now time.Time) bool {
	for _, k := range key.Status.Keys {
		if k.KeyID == key.Status.ActiveKeyID && k.ActivatedAt != nil {
			return now.After(k.ActivatedAt.Add(key.Spec.Distribution.PropagationDelay.Duration))
		}
	}
	return false
}

// activeKeyID returns the kid that the pod of an issuer signs with.
func activeKeyID(ctx context.Context, get getter, pod *corev1.Pod) (string, error) {
	b, err := get(ctx, "/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name+":"+metricsPort(pod)+"/proxy/metrics")
	if err != nil {
		return "", err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(b))
	if err != nil {
		return "", fmt.Errorf("its metrics cannot be read: %w", err)
	}
	for _, m := range families[keyMetric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "kid" {
				return l.GetValue(), nil
			}
		}
	}
	return "", fmt.Errorf("its metrics do not have %s", keyMetric)
}

// metricsPort returns the number of the port named metrics. The API server resolves names of ports only for Services.
func metricsPort(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		for _, port := range pod.Spec.Containers[i].Ports {
			if port.Name == "metrics" {
				return strconv.Itoa(int(port.ContainerPort))
			}
		}
	}
	return "8081"
}

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

// keyMetric names the key that an issuer signs with.
const keyMetric = "keywright_issuer_signing_key_info"

// askIssuers compares what each issuer says that it signs with to what its SigningKey says that it should. The answer comes
// through the API server, from the metrics of the pod.
func (p *patient) askIssuers(ctx context.Context, ask asker, now time.Time) (findings, unasked []string) {
	for i := range p.pods.Items {
		pod := &p.pods.Items[i]
		key := p.issuesFor(pod)
		if key == nil || pod.Status.Phase != corev1.PodRunning {
			continue
		}
		about := fmt.Sprintf("pod %s/%s", pod.Namespace, pod.Name)
		kid, err := signsWith(ctx, ask, pod)
		switch {
		case err != nil:
			unasked = append(unasked, fmt.Sprintf("%s: %v", about, err))
		case kid != key.Status.ActiveKeyID && p.overdue(key, now):
			findings = append(findings, fmt.Sprintf("%s: it signs with key %s, and for longer than the propagationDelay of SigningKey %s "+
				"the key has been %s: its mount is not renewed. Delete the pod", about, kid, key.Name, key.Status.ActiveKeyID))
		}
	}
	return findings, unasked
}

// issuesFor returns the SigningKey whose private key a pod mounts, nil for none.
func (p *patient) issuesFor(pod *corev1.Pod) *keywrightv1alpha1.SigningKey {
	for i := range pod.Spec.Volumes {
		for _, secret := range secretsOf(&pod.Spec.Volumes[i]) {
			name, is := strings.CutSuffix(secret, contract.SigningKeySuffix)
			at := slices.IndexFunc(p.keys.Items, func(k keywrightv1alpha1.SigningKey) bool { return k.Name == name })
			if is && at >= 0 {
				return &p.keys.Items[at]
			}
		}
	}
	return nil
}

// secretsOf names the Secrets that a volume shows.
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

// overdue reports whether every issuer is bound to have read the Active key.
func (p *patient) overdue(key *keywrightv1alpha1.SigningKey, now time.Time) bool {
	for _, k := range key.Status.Keys {
		if k.KeyID == key.Status.ActiveKeyID && k.ActivatedAt != nil {
			return now.After(k.ActivatedAt.Add(key.Spec.Distribution.PropagationDelay.Duration))
		}
	}
	return false
}

// signsWith asks an issuer's pod for the kid that it signs with.
func signsWith(ctx context.Context, ask asker, pod *corev1.Pod) (string, error) {
	b, err := ask(ctx, "/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name+":"+metricsPort(pod)+"/proxy/metrics")
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

// metricsPort is where a pod serves metrics: the port called metrics. A pod is not asked by the name of
// a port, since the API server resolves those of Services only.
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

package doctor

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/issuer/strictyaml"
)

// injectFindings returns labels for the mount with a value that has no effect. The value false excludes a pod of a namespace with the label.
func (s *snapshot) injectFindings(namespace string) (findings []string) {
	look := func(about string, labels map[string]string) {
		if value, has := labels[contract.InjectLabel]; has && value != "true" && value != "false" {
			findings = append(findings, fmt.Sprintf("%s: its label %s is %q, which mounts nothing: set it to \"true\"", about, contract.InjectLabel, value))
		}
	}
	for i := range s.pods.Items {
		look(fmt.Sprintf("pod %s/%s", s.pods.Items[i].Namespace, s.pods.Items[i].Name), s.pods.Items[i].Labels)
	}
	for i := range s.namespaces.Items {
		if ns := &s.namespaces.Items[i]; namespace == "" || ns.Name == namespace {
			look("namespace "+ns.Name, ns.Labels)
		}
	}
	return findings
}

// mistypedFindings returns volumes with a ConfigMap that does not exist, and whose name is similar to that of the public keys.
func (s *snapshot) mistypedFindings(ctx context.Context, k client.Client) (findings []string) {
	for i := range s.pods.Items {
		pod := &s.pods.Items[i]
		for j := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[j]
			for _, name := range configMapsOf(v) {
				if name == contract.JWKSConfigMap || strictyaml.Nearest(name, []string{contract.JWKSConfigMap}) == "" {
					continue
				}
				err := k.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &corev1.ConfigMap{})
				if apierrors.IsNotFound(err) {
					findings = append(findings, fmt.Sprintf("pod %s/%s: volume %s names the ConfigMap %s, which does not exist: did you mean %s?",
						pod.Namespace, pod.Name, v.Name, name, contract.JWKSConfigMap))
				}
			}
		}
	}
	return findings
}

// configMapsOf returns the names of the ConfigMaps in a volume.
func configMapsOf(v *corev1.Volume) (names []string) {
	if v.ConfigMap != nil {
		names = append(names, v.ConfigMap.Name)
	}
	if v.Projected != nil {
		for _, source := range v.Projected.Sources {
			if source.ConfigMap != nil {
				names = append(names, source.ConfigMap.Name)
			}
		}
	}
	return names
}

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

// injectFindings says which labels ask for the mount in a way that nobody reads. false takes a pod out of a namespace that asks.
func (p *patient) injectFindings(namespace string) (findings []string) {
	look := func(about string, labels map[string]string) {
		if value, has := labels[contract.InjectLabel]; has && value != "true" && value != "false" {
			findings = append(findings, fmt.Sprintf("%s: its label %s is %q, which mounts nothing: set it to \"true\"", about, contract.InjectLabel, value))
		}
	}
	for i := range p.pods.Items {
		look(fmt.Sprintf("pod %s/%s", p.pods.Items[i].Namespace, p.pods.Items[i].Name), p.pods.Items[i].Labels)
	}
	for i := range p.namespaces.Items {
		if ns := &p.namespaces.Items[i]; namespace == "" || ns.Name == namespace {
			look("namespace "+ns.Name, ns.Labels)
		}
	}
	return findings
}

// mistypedFindings says which volumes name a ConfigMap that is not there, and whose name is nearly that of the public keys.
func (p *patient) mistypedFindings(ctx context.Context, k client.Client) (findings []string) {
	for i := range p.pods.Items {
		pod := &p.pods.Items[i]
		for j := range pod.Spec.Volumes {
			v := &pod.Spec.Volumes[j]
			for _, name := range configMapsOf(v) {
				if name == contract.JWKSConfigMap || strictyaml.Nearest(name, []string{contract.JWKSConfigMap}) == "" {
					continue
				}
				err := k.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, &corev1.ConfigMap{})
				if apierrors.IsNotFound(err) {
					findings = append(findings, fmt.Sprintf("pod %s/%s: volume %s names the ConfigMap %s, which is not there: is %s meant?",
						pod.Namespace, pod.Name, v.Name, name, contract.JWKSConfigMap))
				}
			}
		}
	}
	return findings
}

// configMapsOf names the ConfigMaps that a volume shows.
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

package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find what silently breaks verifying: wrong mounts, namespaces without keys, delays that are too short",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			var seen patient
			if err := seen.examine(cmd.Context(), k); err != nil {
				return err
			}
			findings := seen.findings()
			for _, f := range findings {
				say(c.Out, "%s\n", f)
			}
			say(c.ErrOut, "Looked at %d pods, %d namespaces and %d SigningKeys.\n", len(seen.pods.Items), len(seen.namespaces.Items), len(seen.keys.Items))
			if len(findings) > 0 {
				return fmt.Errorf("%d findings", len(findings))
			}
			return nil
		},
	}
}

// patient is what the doctor looks at.
type patient struct {
	pods       corev1.PodList
	configMaps corev1.ConfigMapList
	namespaces corev1.NamespaceList
	keys       keywrightv1alpha1.SigningKeyList
}

func (p *patient) examine(ctx context.Context, k client.Client) error {
	byName := client.MatchingFields{"metadata.name": contract.JWKSConfigMap}
	for _, err := range []error{
		k.List(ctx, &p.keys), k.List(ctx, &p.namespaces), k.List(ctx, &p.configMaps, byName), k.List(ctx, &p.pods),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// findings says what is wrong, each with what to do, in an order that stays.
func (p *patient) findings() []string {
	var all []string
	consumers := map[string]bool{}
	for i := range p.pods.Items {
		pod := &p.pods.Items[i]
		found, consumes := podFindings(pod)
		if consumes {
			consumers[pod.Namespace] = true
		}
		for _, f := range found {
			all = append(all, fmt.Sprintf("pod %s/%s: %s", pod.Namespace, pod.Name, f))
		}
	}
	for i := range p.configMaps.Items {
		cm := &p.configMaps.Items[i]
		if cm.Immutable != nil && *cm.Immutable {
			all = append(all, fmt.Sprintf("namespace %s: its ConfigMap %s is immutable: it cannot follow a rotation. Delete it, and it is made again",
				cm.Namespace, cm.Name))
		}
	}
	for i := range p.namespaces.Items {
		ns := &p.namespaces.Items[i]
		if consumers[ns.Name] && !p.selected(ns) {
			all = append(all, fmt.Sprintf("namespace %s: pods mount %s, and no SigningKey selects it. Label it as a namespaceSelector asks for",
				ns.Name, contract.JWKSConfigMap))
		}
	}
	for i := range p.keys.Items {
		if d := p.keys.Items[i].Spec.Distribution.PropagationDelay; d.Duration < kubeletDelay {
			all = append(all, fmt.Sprintf("SigningKey %s: its propagationDelay is %v, and a kubelet needs up to %v unless it is configured otherwise",
				p.keys.Items[i].Name, d.Duration, kubeletDelay))
		}
	}
	slices.Sort(all)
	return all
}

func (p *patient) selected(ns *corev1.Namespace) bool {
	return slices.ContainsFunc(p.keys.Items, func(key keywrightv1alpha1.SigningKey) bool {
		selector, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
		return err == nil && selector.Matches(labels.Set(ns.Labels))
	})
}

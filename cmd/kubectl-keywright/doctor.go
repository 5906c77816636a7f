package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func (c *cli) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Find what silently breaks: no controller, wrong mounts, namespaces without keys, late kubelets, issuers with an old key",
		Long: "Look at SigningKeys, pods, kubelets and issuers, and say what is wrong and what to do. Nothing is changed.\n" +
			"The exit code is 1 if anything was found, and 2 if the cluster could not be asked.",
		Example: "  kubectl keywright doctor",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			ask, err := c.asker()
			if err != nil {
				return err
			}
			var seen patient
			if err := seen.examine(cmd.Context(), k); err != nil {
				return err
			}
			findings := c.examineController(cmd.Context(), k, &seen)
			return c.report(append(findings, seen.findings(cmd.Context(), ask, c.now())...), &seen)
		},
	}
}

// asker gets what has no type: what kubelets and issuers answer through the API server.
func (c *cli) asker() (asker, error) {
	discovery, err := c.flags.ToDiscoveryClient()
	if err != nil {
		return nil, fmt.Errorf("no cluster: %w", err)
	}
	return askWith(discovery.RESTClient()), nil
}

func (c *cli) report(findings []string, seen *patient) error {
	for _, f := range findings {
		say(c.Out, "%s\n", f)
	}
	for _, u := range seen.unasked {
		say(c.ErrOut, "could not ask %s\n", u)
	}
	say(c.ErrOut, "Looked at %d pods, %d nodes, %d namespaces, %d SigningKeys and %d TrustedIssuers.\n",
		len(seen.pods.Items), len(seen.nodes.Items), len(seen.namespaces.Items), len(seen.keys.Items), len(seen.trusted.Items))
	if len(findings) > 0 {
		return no("%d findings", len(findings))
	}
	return nil
}

// patient is what the doctor looks at.
type patient struct {
	pods       corev1.PodList
	configMaps corev1.ConfigMapList
	namespaces corev1.NamespaceList
	keys       keywrightv1alpha1.SigningKeyList
	trusted    keywrightv1alpha1.TrustedIssuerList
	nodes      corev1.NodeList
	// unasked says of which kubelets and issuers nothing is known, and why.
	unasked []string
}

func (p *patient) examine(ctx context.Context, k client.Client) error {
	byName := client.MatchingFields{"metadata.name": contract.JWKSConfigMap}
	for _, err := range []error{
		k.List(ctx, &p.keys), k.List(ctx, &p.namespaces), k.List(ctx, &p.configMaps, byName), k.List(ctx, &p.pods), k.List(ctx, &p.nodes),
	} {
		if err != nil {
			return err
		}
	}
	if err := k.List(ctx, &p.trusted); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) { // an older cluster has none
		return err
	}
	return nil
}

// findings says what is wrong, each with what to do, in an order that stays.
func (p *patient) findings(ctx context.Context, ask asker, now time.Time) []string {
	all, unasked := p.askIssuers(ctx, ask, now)
	slowest, silent := p.askKubelets(ctx, ask)
	p.unasked = slices.Concat(p.unasked, unasked, silent)
	consumers := map[string]bool{}
	for i := range p.pods.Items {
		pod := &p.pods.Items[i]
		found, consumes := podFindings(pod)
		if consumes {
			consumers[pod.Namespace] = true
		}
		for _, f := range append(found, p.missingEntries(pod)...) {
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
			all = append(all, fmt.Sprintf("namespace %s: pods mount %s, and neither a SigningKey nor a TrustedIssuer selects it. Label it as a namespaceSelector asks for",
				ns.Name, contract.JWKSConfigMap))
		}
	}
	for i := range p.keys.Items {
		if d := p.keys.Items[i].Spec.Distribution.PropagationDelay; d.Duration < slowest.time {
			all = append(all, fmt.Sprintf("SigningKey %s: its propagationDelay is %v, and %s needs up to %v to renew a file",
				p.keys.Items[i].Name, d.Duration, slowest.of, slowest.time))
		}
	}
	all = append(all, p.trustedFindings()...)
	slices.Sort(all)
	return all
}

// selected reports whether a namespace is a target of any SigningKey or TrustedIssuer: the key namespace is one of each.
func (p *patient) selected(ns *corev1.Namespace) bool {
	if slices.ContainsFunc(p.trusted.Items, func(ti keywrightv1alpha1.TrustedIssuer) bool {
		selector, err := metav1.LabelSelectorAsSelector(ti.Spec.Distribution.NamespaceSelector)
		return err == nil && selector.Matches(labels.Set(ns.Labels))
	}) {
		return true
	}
	return slices.ContainsFunc(p.keys.Items, func(key keywrightv1alpha1.SigningKey) bool {
		selector, err := metav1.LabelSelectorAsSelector(key.Spec.Distribution.NamespaceSelector)
		return key.Annotations[contract.KeyNamespaceAnnotation] == ns.Name || err == nil && selector.Matches(labels.Set(ns.Labels))
	})
}

package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command doctor.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what silently breaks: no controller, wrong mounts, namespaces without keys, late kubelets, issuers with an old key",
		Long: "Look at SigningKeys, pods, kubelets and issuers, and say what is wrong and what to do. Nothing is changed. With -n, only pods of\n" +
			"that namespace are looked at.\n\n" +
			"The exit code is 1 if anything was found, and 2 if the cluster could not be asked.",
		Example: "  kubectl keywright doctor\n  kubectl keywright doctor -n shop\n  kubectl keywright doctor -o json",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.Usagef("--output is json, not %q", output)
			}
			k, err := c.Client()
			if err != nil {
				return err
			}
			ask, err := c.asker()
			if err != nil {
				return err
			}
			var seen patient
			if err := seen.examine(cmd.Context(), k, c.NamespaceFlag()); err != nil {
				return err
			}
			findings := c.examineController(cmd.Context(), k, &seen)
			findings = append(findings, seen.mistypedFindings(cmd.Context(), k)...)
			findings = append(findings, seen.injectFindings(c.NamespaceFlag())...)
			return c.report(append(findings, seen.findings(cmd.Context(), ask, c.Now())...), &seen, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, for programs")
	return cmd
}

// asker gets what has no type: what kubelets and issuers answer through the API server.
func (c *command) asker() (asker, error) {
	k, err := c.RESTClient()
	if err != nil {
		return nil, err
	}
	return askWith(k), nil
}

// diagnosis is what doctor prints for programs.
type diagnosis struct {
	Findings []string       `json:"findings"`
	NotAsked []string       `json:"notAsked"`
	LookedAt map[string]int `json:"lookedAt"`
}

func (c *command) report(findings []string, seen *patient, output string) error {
	if output != "" {
		if err := c.PrintObject(output, diagnosis{
			append([]string{}, findings...), append([]string{}, seen.unasked...),
			map[string]int{
				"pods": len(seen.pods.Items), "nodes": len(seen.nodes.Items), "namespaces": len(seen.namespaces.Items),
				"signingKeys": len(seen.keys.Items), "trustedIssuers": len(seen.trusted.Items),
			},
		}); err != nil {
			return err
		}
	} else {
		c.sayReport(findings, seen)
	}
	if len(findings) > 0 {
		return cli.Negativef("%d findings", len(findings))
	}
	return nil
}

func (c *command) sayReport(findings []string, seen *patient) {
	for _, f := range findings {
		cli.Printf(c.Out, "%s\n", f)
	}
	for _, u := range seen.unasked {
		cli.Printf(c.ErrOut, "could not ask %s\n", u)
	}
	cli.Printf(c.ErrOut, "Looked at %d pods, %d nodes, %d namespaces, %d SigningKeys and %d TrustedIssuers.\n",
		len(seen.pods.Items), len(seen.nodes.Items), len(seen.namespaces.Items), len(seen.keys.Items), len(seen.trusted.Items))
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

// examine reads what there is, of pods and of what they mount in one namespace only, unless that is empty.
func (p *patient) examine(ctx context.Context, k client.Client, namespace string) error {
	in, byName := client.InNamespace(namespace), client.MatchingFields{"metadata.name": contract.JWKSConfigMap}
	for _, err := range []error{
		k.List(ctx, &p.keys), k.List(ctx, &p.namespaces), k.List(ctx, &p.configMaps, in, byName), k.List(ctx, &p.pods, in), k.List(ctx, &p.nodes),
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
	all = append(all, p.selectorFindings()...)
	slices.Sort(all)
	return all
}

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
		Short: "Find faults that nothing else reports: wrong mounts, namespaces without keys, slow kubelets, issuers that sign with an old key",
		Long: "Check SigningKeys, pods, kubelets and issuers, and print what is wrong and what to do. The command changes nothing. With -n, it\n" +
			"checks the pods of that namespace only.\n\n" +
			"The exit code is 1 if there are findings, and 2 if the cluster cannot be read.",
		Example: "  kubectl keywright doctor\n  kubectl keywright doctor -n shop\n  kubectl keywright doctor -o json",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.Usagef("--output must be json, not %q", output)
			}
			k, err := c.Client()
			if err != nil {
				return err
			}
			get, err := c.getter()
			if err != nil {
				return err
			}
			var s snapshot
			if err := s.read(cmd.Context(), k, c.NamespaceFlag()); err != nil {
				return err
			}
			findings := c.checkController(cmd.Context(), k, &s)
			findings = append(findings, s.mistypedFindings(cmd.Context(), k)...)
			findings = append(findings, s.injectFindings(c.NamespaceFlag())...)
			return c.print(append(findings, s.findings(cmd.Context(), get, c.Now())...), &s, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, for programs")
	return cmd
}

// getter returns a getter for responses of kubelets and issuers through the API server.
func (c *command) getter() (getter, error) {
	k, err := c.RESTClient()
	if err != nil {
		return nil, err
	}
	return newGetter(k), nil
}

// report is what doctor prints for programs.
type report struct {
	Findings []string       `json:"findings"`
	NotAsked []string       `json:"notAsked"`
	LookedAt map[string]int `json:"lookedAt"`
}

func (c *command) print(findings []string, s *snapshot, output string) error {
	if output != "" {
		if err := c.PrintObject(output, report{
			append([]string{}, findings...), append([]string{}, s.unchecked...),
			map[string]int{
				"pods": len(s.pods.Items), "nodes": len(s.nodes.Items), "namespaces": len(s.namespaces.Items),
				"signingKeys": len(s.keys.Items), "trustedIssuers": len(s.trusted.Items),
			},
		}); err != nil {
			return err
		}
	} else {
		c.printText(findings, s)
	}
	if len(findings) > 0 {
		return cli.Negativef("%d findings", len(findings))
	}
	return nil
}

func (c *command) printText(findings []string, s *snapshot) {
	for _, f := range findings {
		cli.Printf(c.Out, "%s\n", f)
	}
	for _, u := range s.unchecked {
		cli.Printf(c.ErrOut, "could not check %s\n", u)
	}
	cli.Printf(c.ErrOut, "Checked %d pods, %d nodes, %d namespaces, %d SigningKeys and %d TrustedIssuers.\n",
		len(s.pods.Items), len(s.nodes.Items), len(s.namespaces.Items), len(s.keys.Items), len(s.trusted.Items))
}

// snapshot has the objects that doctor checks.
type snapshot struct {
	pods       corev1.PodList
	configMaps corev1.ConfigMapList
	namespaces corev1.NamespaceList
	keys       keywrightv1alpha1.SigningKeyList
	trusted    keywrightv1alpha1.TrustedIssuerList
	nodes      corev1.NodeList
	// unchecked lists what could not be checked, and why.
	unchecked []string
}

// read reads the objects. If a namespace is given, it reads only the pods and ConfigMaps of that namespace.
func (s *snapshot) read(ctx context.Context, k client.Client, namespace string) error {
	in, byName := client.InNamespace(namespace), client.MatchingFields{"metadata.name": contract.JWKSConfigMap}
	for _, err := range []error{
		k.List(ctx, &s.keys), k.List(ctx, &s.namespaces), k.List(ctx, &s.configMaps, in, byName), k.List(ctx, &s.pods, in), k.List(ctx, &s.nodes),
	} {
		if err != nil {
			return err
		}
	}
	if err := k.List(ctx, &s.trusted); err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) { // an older cluster has none
		return err
	}
	return nil
}

// findings returns what is wrong, each with what to do, sorted.
func (s *snapshot) findings(ctx context.Context, get getter, now time.Time) []string {
	all, unchecked := s.checkIssuers(ctx, get, now)
	slowest, unreachable := s.checkKubelets(ctx, get)
	s.unchecked = slices.Concat(s.unchecked, unchecked, unreachable)
	consumers := map[string]bool{}
	for i := range s.pods.Items {
		pod := &s.pods.Items[i]
		found, consumes := podFindings(pod)
		if consumes {
			consumers[pod.Namespace] = true
		}
		for _, f := range append(found, s.missingEntries(pod)...) {
			all = append(all, fmt.Sprintf("pod %s/%s: %s", pod.Namespace, pod.Name, f))
		}
	}
	for i := range s.configMaps.Items {
		cm := &s.configMaps.Items[i]
		if cm.Immutable != nil && *cm.Immutable {
			all = append(all, fmt.Sprintf("namespace %s: its ConfigMap %s is immutable and cannot follow a rotation: delete it, and the controller creates it again",
				cm.Namespace, cm.Name))
		}
	}
	for i := range s.namespaces.Items {
		ns := &s.namespaces.Items[i]
		if consumers[ns.Name] && !s.selected(ns) {
			all = append(all, fmt.Sprintf("namespace %s: pods mount %s, and neither a SigningKey nor a TrustedIssuer selects it: add the label that a namespaceSelector requires",
				ns.Name, contract.JWKSConfigMap))
		}
	}
	for i := range s.keys.Items {
		if d := s.keys.Items[i].Spec.Distribution.PropagationDelay; d.Duration < slowest.time {
			all = append(all, fmt.Sprintf("SigningKey %s: its propagationDelay is %v, and %s needs up to %v to renew a file: increase propagationDelay",
				s.keys.Items[i].Name, d.Duration, slowest.of, slowest.time))
		}
	}
	all = append(all, s.trustedFindings()...)
	all = append(all, s.selectorFindings()...)
	slices.Sort(all)
	return all
}

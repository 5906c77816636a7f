package revocation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// ListCommand returns the command revocations.
func ListCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	var output string
	cmd := &cobra.Command{
		Use:   "revocations [NAME]",
		Short: "List Revocations and when they expire, or generate rules for verifiers that do not read the list",
		Long: `List the Revocations of one or of all SigningKeys, and when each expires.

With -o cel, istio or envoy-gateway, generate rules for software that cannot read <name>.revoked. The rules contain the plain
identifiers. They omit expired Revocations, and keys, which are in no key set any more. Generate them again after each change.`,
		Example: `  # What is revoked, and until when
  kubectl keywright revocations main

  # For the claimValidationRules of a kube-apiserver's AuthenticationConfiguration
  kubectl keywright revocations main -o cel

  # For the sidecars of a namespace
  kubectl keywright revocations main -o istio | kubectl apply -n orders -f -`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: c.CompleteSigningKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"", "json", "yaml", "cel", "istio", "envoy-gateway"}, output) {
				return cli.Usagef("--output must be json, yaml, cel, istio or envoy-gateway, not %q", output)
			}
			if len(args) == 0 && output != "" && output != "json" && output != "yaml" {
				return cli.Usagef("-o %s needs the NAME of a SigningKey: the rules are for the tokens of one issuer", output)
			}
			k, err := c.Client()
			if err != nil {
				return err
			}
			return c.list(cmd.Context(), k, strings.Join(args, ""), output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, yaml, cel, istio or envoy-gateway")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "yaml", "cel", "istio", "envoy-gateway"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// list prints the Revocations of one SigningKey, or all.
func (c *command) list(ctx context.Context, k client.Client, name, output string) error {
	var key *keywrightv1alpha1.SigningKey
	if name != "" {
		var err error
		if key, err = cli.GetSigningKey(ctx, k, name); err != nil {
			return err
		}
	}
	list := keywrightv1alpha1.RevocationList{}
	if err := k.List(ctx, &list); err != nil {
		return err
	}
	list.Items = slices.DeleteFunc(list.Items, func(r keywrightv1alpha1.Revocation) bool { return name != "" && r.Spec.SigningKey != name })
	slices.SortStableFunc(list.Items, func(a, b keywrightv1alpha1.Revocation) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	switch output {
	case "":
		c.showRevocations(list.Items)
		return nil
	case "json", "yaml":
		return c.printList(&list, output)
	}
	return c.printRules(key, list.Items, output)
}

func (c *command) printList(list *keywrightv1alpha1.RevocationList, output string) error {
	list.SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind("RevocationList"))
	for i := range list.Items {
		list.Items[i].ManagedFields = nil
		list.Items[i].SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind("Revocation"))
	}
	return c.PrintObject(output, list)
}

func (c *command) showRevocations(list []keywrightv1alpha1.Revocation) {
	if len(list) == 0 {
		cli.Printf(c.ErrOut, "There are no Revocations. Keys can also be revoked in spec.revokedKeyIDs of a SigningKey: `kubectl keywright status` shows those.\n")
		return
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "NAME\tSIGNING KEY\tREVOKES\tSTATE\tEXPIRES IN\tAGE\n")
	for i := range list {
		r := &list[i]
		cli.Printf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Spec.SigningKey, receipt.Describe(&r.Spec), receipt.Reason(r), c.expiresIn(r), duration.HumanDuration(c.ServerNow().Sub(r.CreationTimestamp.Time)))
	}
	_ = table.Flush()
}

// expiresIn returns how long a Revocation still has an effect.
func (c *command) expiresIn(r *keywrightv1alpha1.Revocation) string {
	switch now := c.ServerNow(); {
	case r.Spec.KeyID != "":
		return "never"
	case r.Status.ExpiresAt == nil:
		return "-"
	case expired(r, now):
		return "expired"
	default:
		return duration.HumanDuration(r.Status.ExpiresAt.Sub(now))
	}
}

// expired reports whether all tokens that a Revocation names have expired.
func expired(r *keywrightv1alpha1.Revocation, now time.Time) bool {
	return receipt.Reason(r) == keywrightv1alpha1.ReasonExpired || (r.Status.ExpiresAt != nil && !now.Before(r.Status.ExpiresAt.Time))
}

// quoteAll returns a list of values for a comment. Quoting removes line breaks.
func quoteAll(values []string) string {
	var q []string
	for _, v := range values {
		q = append(q, fmt.Sprintf("%q", v))
	}
	return strings.Join(q, ", ")
}

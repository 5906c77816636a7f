package status

import (
	"context"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command status.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var output string
	var watch bool
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show SigningKeys with their keys on a time line, and TrustedIssuers",
		Long: "Show one or all SigningKeys with their keys on a time line: which key signs, which is next, and when each is removed. Without a NAME,\nalso show the TrustedIssuers.\n" +
			"The exit code is 1 if no controller is running, and 2 if the cluster cannot be read.",
		Example: "  kubectl keywright status main\n  kubectl keywright status -w\n  kubectl keywright status main -o json",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: c.CompleteSigningKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "json" && output != "yaml" {
				return cli.Usagef("--output must be json or yaml, not %q", output)
			}
			k, err := c.Client()
			if err != nil {
				return err
			}
			return cli.Poll(cmd.Context(), time.Second, func() (bool, error) {
				keys, err := find(cmd, k, args)
				if err != nil {
					return false, err
				}
				if watch && output == "" {
					cli.Printf(c.Out, "\x1b[H\x1b[2J")
				}
				absent := c.checkController(cmd.Context(), k)
				err = c.show(keys, output, len(args) == 1, absent != nil)
				if err == nil && output == "" && len(args) == 0 {
					err = c.showTrustedIssuers(cmd.Context(), k, absent != nil)
				}
				if err != nil || watch {
					return false, err
				}
				return true, absent
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json or yaml, for programs")
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "refresh every second")
	return cmd
}

// find returns the SigningKey of the arguments, or all.
func find(cmd *cobra.Command, k client.Client, args []string) ([]keywrightv1alpha1.SigningKey, error) {
	if len(args) == 1 {
		key, err := cli.GetSigningKey(cmd.Context(), k, args[0])
		if err != nil {
			return nil, err
		}
		return []keywrightv1alpha1.SigningKey{*key}, nil
	}
	var list keywrightv1alpha1.SigningKeyList
	err := k.List(cmd.Context(), &list)
	return list.Items, err
}

// checkController prints that no controller is running, and returns it as an error. Without permission to read the Lease, it returns nil.
func (c *command) checkController(ctx context.Context, k client.Client) error {
	l, err := leader.Find(ctx, c.Env, k)
	switch {
	case err != nil:
		cli.Printf(c.ErrOut, "Cannot check whether a controller is running: %v\n", err)
		return nil
	case l.Running():
		return nil
	}
	text := l.String()
	cli.Printf(c.ErrOut, "%s%s. Until one is running, no key will be rotated or revoked, and the status below may be outdated. %s.\n", strings.ToUpper(text[:1]), text[1:], l.Hint())
	return cli.Negativef("no controller is running")
}

// show prints SigningKeys. For programs, a single one is not a list, as in kubectl.
func (c *command) show(keys []keywrightv1alpha1.SigningKey, output string, one, stale bool) error {
	if output != "" {
		return c.printObjects(keys, one, output)
	}
	if len(keys) == 0 {
		cli.Printf(c.ErrOut, "There are no SigningKeys.\n")
	}
	for i := range keys {
		if i > 0 {
			cli.Printf(c.Out, "\n")
		}
		c.showKey(&keys[i], stale)
	}
	return nil
}

func (c *command) printObjects(keys []keywrightv1alpha1.SigningKey, one bool, output string) error {
	for i := range keys {
		keys[i].ManagedFields = nil
		keys[i].SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind("SigningKey"))
	}
	if one {
		return c.PrintObject(output, &keys[0])
	}
	list := keywrightv1alpha1.SigningKeyList{Items: keys}
	list.SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind("SigningKeyList"))
	return c.PrintObject(output, &list)
}

// showKey prints one SigningKey. If it is stale, its conditions may be outdated.
func (c *command) showKey(key *keywrightv1alpha1.SigningKey, stale bool) {
	s := &key.Status
	cli.Printf(c.Out, "SigningKey %s, %s, rotates %s. %s namespaces have its current keys.\n",
		key.Name, key.Spec.Algorithm, mode(&key.Spec), cli.OrDash(s.Targets.Summary))
	if s.ObservedGeneration < key.Generation {
		cli.Printf(c.Out, "  ??  the status is of generation %d, and the spec of generation %d: no controller has reconciled the change\n", s.ObservedGeneration, key.Generation)
	}
	for i := range s.Conditions {
		cli.Printf(c.Out, "  %s  %-14s  %s\n", mark(&s.Conditions[i], stale), s.Conditions[i].Type, s.Conditions[i].Message)
	}
	if s.NextRotationTime != nil {
		cli.Printf(c.Out, "  next rotation %s\n", c.RelativeTime(s.NextRotationTime))
	}
	cli.Printf(c.Out, "\n")
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "  KEY\tSTATE\tPUBLISHED\tSIGNS SINCE\tREMOVED\tTIME\n")
	line := c.timeLine(s)
	for i := range s.Keys {
		k := &s.Keys[i]
		cli.Printf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", k.KeyID, k.State, c.RelativeTime(k.PublishedAt), c.RelativeTime(k.ActivatedAt),
			c.RelativeTime(k.RemovalTime), line.of(k))
	}
	_ = table.Flush()
	if len(s.Keys) > 0 {
		cli.Printf(c.Out, "  %s\n", line.legend())
	}
	for i := range s.Revocations {
		cli.Printf(c.Out, "  revoked %s: %s\n", c.RelativeTime(&s.Revocations[i].RevokedAt), c.progress(key, &s.Revocations[i]))
	}
}

// mark returns ok, NO or ?? for a condition. Stalled (kstatus) and Stale are ok if they are not True.
func mark(c *metav1.Condition, stale bool) string {
	switch {
	case c.Status == metav1.ConditionUnknown, stale && c.Status == metav1.ConditionTrue:
		return "??"
	case (c.Status == metav1.ConditionTrue) == (c.Type != keywrightv1alpha1.ConditionStalled && c.Type != keywrightv1alpha1.ConditionStale):
		return "ok"
	default:
		return "NO"
	}
}

// progress returns the progress of a revocation in one line.
func (c *command) progress(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) string {
	switch {
	case !r.Known:
		return r.KeyID + ", which the SigningKey never had"
	case !receipt.Complete(r):
		return r.KeyID + ". " + receipt.Awaited(key, r)
	case r.ExpectedEverywhereBy != nil && r.ExpectedEverywhereBy.After(c.Now()):
		return r.KeyID + ", removed from all files; every pod should have removed it " + c.RelativeTime(r.ExpectedEverywhereBy)
	default:
		return r.KeyID + ", removed from all files; by now every pod should have removed it"
	}
}

func mode(spec *keywrightv1alpha1.SigningKeySpec) string {
	if spec.Rotation.Mode == keywrightv1alpha1.Manual {
		return "on request only"
	}
	return "every " + duration.HumanDuration(spec.Rotation.Interval.Duration)
}

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
		Short: "Show the keys of SigningKeys on a time line, what is awaited from whom, and the TrustedIssuers",
		Long: "Show the keys of one SigningKey, or of all, on a time line: which signs, which comes next, and when each leaves; and the TrustedIssuers.\n" +
			"The exit code is 1 if no controller is running, and 2 if the cluster could not be asked.",
		Example: "  kubectl keywright status main\n  kubectl keywright status -w\n  kubectl keywright status main -o json",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: c.CompleteSigningKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "json" && output != "yaml" {
				return cli.Usagef("--output is json or yaml, not %q", output)
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
				absent := c.absence(cmd.Context(), k)
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
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "show it again every second")
	return cmd
}

// find returns the named SigningKey, or all.
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

// absence says that no controller is running, and returns it as an error, nil if one does. Where that may not be asked, nothing is known against it.
func (c *command) absence(ctx context.Context, k client.Client) error {
	l, err := leader.Find(ctx, c.Env, k)
	switch {
	case err != nil:
		cli.Printf(c.ErrOut, "Cannot check whether a controller is running: %v\n", err)
		return nil
	case l.Running():
		return nil
	}
	text := l.String()
	cli.Printf(c.ErrOut, "%s%s. The status below may be outdated; no key is rotated or revoked. %s.\n", strings.ToUpper(text[:1]), text[1:], l.Hint())
	return cli.Negativef("no controller is running")
}

// show prints SigningKeys. For programs, the one that was asked for by name is no list, as in kubectl.
func (c *command) show(keys []keywrightv1alpha1.SigningKey, output string, one, stale bool) error {
	if output != "" {
		return c.printObjects(keys, one, output)
	}
	if len(keys) == 0 {
		cli.Printf(c.ErrOut, "There is no SigningKey yet.\n")
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

// showKey draws one SigningKey. What is stale was true once.
func (c *command) showKey(key *keywrightv1alpha1.SigningKey, stale bool) {
	s := &key.Status
	cli.Printf(c.Out, "SigningKey %s, %s, rotates %s. %s namespaces have its current keys.\n",
		key.Name, key.Spec.Algorithm, mode(&key.Spec), cli.OrDash(s.Targets.Summary))
	if s.ObservedGeneration < key.Generation {
		cli.Printf(c.Out, "  ??  this is about generation %d of it, and it is at %d: no controller has looked at the change\n", s.ObservedGeneration, key.Generation)
	}
	for i := range s.Conditions {
		cli.Printf(c.Out, "  %s  %-14s  %s\n", mark(&s.Conditions[i], stale), s.Conditions[i].Type, s.Conditions[i].Message)
	}
	if s.NextRotationTime != nil {
		cli.Printf(c.Out, "  next rotation %s\n", c.RelativeTime(s.NextRotationTime))
	}
	cli.Printf(c.Out, "\n")
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "  KEY\tSTATE\tPUBLISHED\tSIGNS SINCE\tLEAVES\tTIME\n")
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
		cli.Printf(c.Out, "  revoked %s: %s\n", c.RelativeTime(&s.Revocations[i].RevokedAt), c.receipt(key, &s.Revocations[i]))
	}
}

// mark says how a condition is: that of trouble, Stalled (kstatus), is well when it is not True.
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

// receipt says in one line how far a revocation is.
func (c *command) receipt(key *keywrightv1alpha1.SigningKey, r *keywrightv1alpha1.KeyRevocationStatus) string {
	switch {
	case !r.Known:
		return r.KeyID + ", which was never here"
	case !receipt.Complete(r):
		return r.KeyID + ". " + receipt.Awaited(key, r)
	case r.ExpectedEverywhereBy != nil && r.ExpectedEverywhereBy.After(c.Now()):
		return r.KeyID + ", out of all files; every pod is bound to know it " + c.RelativeTime(r.ExpectedEverywhereBy)
	default:
		return r.KeyID + ", out of all files, and every pod is bound to know it"
	}
}

func mode(spec *keywrightv1alpha1.SigningKeySpec) string {
	if spec.Rotation.Mode == keywrightv1alpha1.Manual {
		return "on request only"
	}
	return "every " + duration.HumanDuration(spec.Rotation.Interval.Duration)
}

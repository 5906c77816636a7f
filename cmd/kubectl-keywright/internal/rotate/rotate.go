package rotate

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/progress"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command rotate.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var noWait bool
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Request one rotation, and wait until the next key signs",
		Long: "Request one rotation, and wait until the next key signs. No valid token is rejected: the next key signs when every pod is expected to have it.\n" +
			"Ctrl-C ends the wait, not the request.",
		Example: "  kubectl keywright rotate main\n  kubectl keywright rotate main --no-wait",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.CompleteSigningKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.Client()
			if err != nil {
				return err
			}
			key, err := cli.GetSigningKey(cmd.Context(), k, args[0])
			if err != nil {
				return err
			}
			requested := requestTime(c.Now().UTC().Truncate(time.Second), key)
			before := key.DeepCopy()
			if key.Annotations == nil {
				key.Annotations = map[string]string{}
			}
			key.Annotations[contract.RotateAnnotation] = requested.Format(time.RFC3339)
			if err := k.Patch(cmd.Context(), key, client.MergeFrom(before)); err != nil {
				return err
			}
			cli.Printf(c.Out, "Requested a rotation of SigningKey %s. Key %s signs until the next one is known everywhere.\n", key.Name, cli.OrDash(key.Status.ActiveKeyID))
			if noWait {
				return nil
			}
			return progress.Err(cmd.Context(), key.Name, c.awaitRotation(cmd.Context(), k, key, requested))
		},
	}
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait")
	return cmd
}

// requestTime returns the time of a new request. It is later than the last handled one, even within the same second.
func requestTime(now time.Time, key *keywrightv1alpha1.SigningKey) time.Time {
	if handled := key.Status.HandledRotateRequest; handled != nil && !now.After(handled.Time) {
		return handled.UTC().Add(time.Second)
	}
	return now
}

// awaitRotation waits until the request is handled, and prints what is awaited.
func (c *command) awaitRotation(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, requested time.Time) error {
	reporter := progress.NewReporter(c.Env)
	defer reporter.End()
	return cli.Poll(ctx, 500*time.Millisecond, func() (bool, error) {
		now, err := cli.GetSigningKey(ctx, k, key.Name)
		if err != nil {
			return false, err
		}
		if handled := now.Status.HandledRotateRequest; handled != nil && !handled.Time.Before(requested) {
			reporter.Done("Key " + now.Status.ActiveKeyID + " signs.")
			return true, nil
		}
		// Until the controller has seen the request, nextRotationTime is that of the schedule.
		if at := now.Status.NextRotationTime; at != nil && !at.Equal(key.Status.NextRotationTime) {
			reporter.Waiting("The next key signs at " + at.UTC().Format(time.RFC3339) + ".")
			return false, nil
		}
		reporter.Waiting("Waiting for the controller.")
		if reporter.Overdue() {
			if l, description := reporter.Leader(ctx, k); !l.Running() {
				reporter.NotSeen(ctx, l, description, "Until one does, the Active key signs.")
			}
		}
		return false, nil
	})
}

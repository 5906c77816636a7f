package revocation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/progress"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// request is what one call of revoke requests.
type request struct {
	spec keywrightv1alpha1.RevocationSpec
	// token is the token of --token, - for standard input.
	token string
	// inSpec reports whether the key ID is added to the spec of the SigningKey, because it was given without --key.
	inSpec                     bool
	issuedBefore               string
	ttl                        time.Duration
	unknown, yes, wait, noWait bool
}

const revokeExamples = `  # A key has leaked: the next key signs, and every token of the old one is rejected
  kubectl keywright revoke main --key hvqyfGoumKiNy-ZTNBmlEtF6aceHRWbfik2R9sO15-I

  # A token was stolen: paste it, and choose to revoke it alone, its session, or all tokens of its user
  kubectl keywright revoke main --token -

  # Revoke all tokens of a user within seconds, and wait for it
  kubectl keywright revoke main --subject gi6zvhhcbokpzwomd2t5yotf3c --nudge -w

  # Revoke all tokens: all users must log in again
  kubectl keywright revoke main --everything --reason "INC-1234"`

// RevokeCommand returns the command revoke.
func RevokeCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	var r request
	cmd := &cobra.Command{
		Use:   "revoke NAME (KID | --key KID | --token - | --jti JTI | --session SID | --subject SUB | --client ID | --everything)",
		Short: "Revoke a key, a token, a session, the tokens of a user or client, or all tokens",
		Long: `Revoke a key, one token, a session, all tokens that a user or a client got until now, or all tokens.

The command creates a Revocation, whose status is the receipt. A key without --key is added to spec.revokedKeyIDs of the
SigningKey instead. That needs the permission to update the SigningKey, and a copy of the spec in git survives if
the cluster is restored from a backup. Both are permanent.

The command waits for the receipt of a key unless --no-wait is set, and for any other receipt if -w is set.`,
		Example: revokeExamples,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return cli.Usagef("%s takes the name of a SigningKey and what to revoke: see --help", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: c.completeKeyIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(args); err != nil {
				return err
			}
			return c.revoke(cmd.Context(), &r)
		},
	}
	r.addFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("key", func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) != 1 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.completeKeyIDs(cmd, args, toComplete)
	})
	return cmd
}

func (r *request) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.spec.KeyID, "key", "", "`KID` of a key")
	f.StringVar(&r.token, "token", "", "`TOKEN`, or - for standard input, which keeps it out of the shell history; asks what to revoke, and with --yes revokes that token alone")
	f.StringVar(&r.spec.TokenID, "jti", "", "`JTI` of one token")
	f.StringVar(&r.spec.SessionID, "session", "", "`SID` of a session")
	f.StringVar(&r.spec.Subject, "subject", "", "`SUB` of a user; revokes all tokens until now")
	f.StringVar(&r.spec.ClientID, "client", "", "`ID` of a client; revokes all tokens until now, of any subject")
	f.BoolVar(&r.spec.Everything, "everything", false, "revoke all tokens until now; logins pause for the clockSkew")
	f.StringVar(&r.issuedBefore, "issued-before", "", "revoke tokens issued until this `TIME`, like 2026-11-26T12:00:00Z (default: now, by the clock of the API server)")
	f.BoolVar(&r.spec.KeepSessions, "keep-sessions", false, "with --key of the Active key: do not end sessions, although their keys may have leaked too")
	f.BoolVar(&r.spec.Nudge, "nudge", false, "nudge pods, so that they renew their files within seconds; always set for keys. Pods of services are nudged only if the controller runs with --nudge-pods (controller.nudgeAllPods of the chart)")
	f.StringVar(&r.spec.Reason, "reason", "", "`TEXT` for people, at most 256 characters; it appears in no event, log or file")
	f.DurationVar(&r.ttl, "ttl", 0, "delete the Revocation this long after it expires (default: never)")
	f.BoolVar(&r.unknown, "unknown", false, "record the key ID even if the SigningKey has no such key")
	f.BoolVarP(&r.yes, "yes", "y", false, "revoke without confirmation")
	f.BoolVarP(&r.wait, "wait", "w", false, "wait for the receipt")
	f.BoolVar(&r.noWait, "no-wait", false, "with a key: return at once, and do not wait until it is removed from all files and pods")
}

// check adds the arguments to the flags, and returns an error for flags that cannot be combined.
func (r *request) check(args []string) error {
	r.spec.SigningKey = args[0]
	if len(args) == 2 {
		if r.spec.KeyID != "" {
			return cli.Usagef("name one key, either as KID or with --key")
		}
		r.spec.KeyID, r.inSpec = args[1], true
	}
	named := slices.DeleteFunc([]string{r.spec.KeyID, r.token, r.spec.TokenID, r.spec.SessionID, r.spec.Subject, r.spec.ClientID}, isEmpty)
	if r.spec.Everything {
		named = append(named, "everything")
	}
	if len(named) != 1 {
		return cli.Usagef("name exactly one of KID, --key, --token, --jti, --session, --subject, --client and --everything, not %d", len(named))
	}
	key := r.spec.KeyID != ""
	switch {
	case r.inSpec && (r.spec.KeepSessions || r.spec.Nudge || r.spec.Reason != ""):
		return cli.Usagef("--keep-sessions, --nudge and --reason require a Revocation: name the key with --key")
	case !key && (r.spec.KeepSessions || r.unknown):
		return cli.Usagef("--keep-sessions and --unknown are for keys only")
	case key && r.ttl != 0:
		return cli.Usagef("--ttl is not for keys: a Revocation of a key is never deleted")
	case r.issuedBefore != "" && !r.spec.Everything && r.spec.Subject == "" && r.spec.ClientID == "" && r.token == "":
		return cli.Usagef("--issued-before is for --subject, --client and --everything only")
	case r.wait && r.noWait:
		return cli.Usagef("-w and --no-wait cannot be combined")
	case r.ttl < 0:
		return cli.Usagef("--ttl must not be negative")
	}
	return nil
}

func isEmpty(s string) bool { return s == "" }

// revoke explains the request, asks the user to confirm it, sends it, and waits.
func (c *command) revoke(ctx context.Context, r *request) error {
	k, err := c.Client()
	if err != nil {
		return err
	}
	key, err := cli.GetSigningKey(ctx, k, r.spec.SigningKey)
	if err != nil {
		return err
	}
	if r.token != "" {
		if err := c.readRequest(ctx, k, key, r); err != nil {
			return err
		}
	}
	if err := r.checkKey(key); err != nil {
		return err
	}
	if err := r.fillIssuedBefore(c.ServerNow()); err != nil { // early, so that a mistake is reported before the question
		return err
	}
	for _, line := range r.explain(key) {
		cli.Printf(c.ErrOut, "%s\n", line)
	}
	if !r.yes {
		answer, err := c.ask(ctx, r.question())
		if err != nil {
			return err
		}
		if answer != "y" && answer != "yes" {
			return cli.Negativef("not revoked")
		}
	}
	if r.inSpec {
		return c.revokeInSpec(ctx, k, key, r)
	}
	return c.createRevocation(ctx, k, r)
}

// fillIssuedBefore sets the time up to which tokens are revoked, if the request needs one: that of --issued-before, or now.
func (r *request) fillIssuedBefore(now time.Time) error {
	if r.spec.Subject == "" && r.spec.ClientID == "" && !r.spec.Everything {
		return nil
	}
	at := now.UTC().Truncate(time.Second)
	if r.issuedBefore != "" {
		given, err := time.Parse(time.RFC3339, r.issuedBefore)
		switch {
		case err != nil:
			return cli.Usagef("--issued-before must be a time like %s, not %q", at.Format(time.RFC3339), r.issuedBefore)
		case given.After(now):
			return cli.Usagef("--issued-before is in the future: it is %s at the API server", at.Format(time.RFC3339))
		}
		at = given.UTC().Truncate(time.Second)
	}
	r.spec.IssuedBefore = &metav1.Time{Time: at}
	return nil
}

// createRevocation creates the Revocation. It reads the time of the API server again, because the user may have answered late.
func (c *command) createRevocation(ctx context.Context, k client.WithWatch, r *request) error {
	if _, err := cli.GetSigningKey(ctx, k, r.spec.SigningKey); err != nil {
		return err
	}
	if err := r.fillIssuedBefore(c.ServerNow()); err != nil {
		return err
	}
	if r.ttl != 0 {
		r.spec.TTLAfterExpiry = &metav1.Duration{Duration: r.ttl}
	}
	made := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: r.spec.SigningKey + "-"}, Spec: r.spec}
	switch err := k.Create(ctx, made); {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted: `kubectl keywright revocations %s` shows whether the Revocation was created", r.spec.SigningKey)
	case apierrors.IsForbidden(err) && r.spec.KeyID != "":
		return fmt.Errorf("%w: with permission to update the SigningKey, run `kubectl keywright revoke %s %s` instead", err, r.spec.SigningKey, r.spec.KeyID)
	case err != nil:
		return err
	}
	cli.Printf(c.Out, "Revocation %s created: it revokes %s.\n", made.Name, receipt.Describe(&made.Spec))
	if r.noWait || (!r.wait && r.spec.KeyID == "") {
		cli.Printf(c.ErrOut, "`kubectl keywright revocations %s` shows its progress.\n", r.spec.SigningKey)
		return nil
	}
	return progress.ErrWithHint(ctx, "`kubectl get revocation "+made.Name+" -o yaml` shows its progress", receipt.Await(ctx, c.Env, k, made.Name))
}

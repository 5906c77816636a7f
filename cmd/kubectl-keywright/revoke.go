package main

import (
	"bufio"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func (c *cli) revokeCommand() *cobra.Command {
	var yes, noWait bool
	cmd := &cobra.Command{
		Use:   "revoke NAME KID",
		Short: "Revoke a key: it leaves every file, and its live tokens are rejected",
		Args:  exactly("NAME", "KID"), ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := c.client()
			if err != nil {
				return err
			}
			key, err := get(cmd.Context(), k, args[0])
			if err != nil {
				return err
			}
			if err := c.confirm(cmd.Context(), key, args[1], yes); err != nil {
				return err
			}
			if err := revoke(cmd.Context(), k, key, args[1]); err != nil {
				return err
			}
			say(c.Out, "Asked for the revocation of key %s of %s.\n", args[1], key.Name)
			if noWait {
				return nil
			}
			return stands(cmd.Context(), key.Name, c.awaitRevocation(cmd.Context(), k, key.Name, args[1]))
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until it has left every file")
	return cmd
}

// confirm says what a revocation of this key asks for, and has the user confirm it.
func (c *cli) confirm(ctx context.Context, key *keywrightv1alpha1.SigningKey, kid string, yes bool) error {
	i := slices.IndexFunc(key.Status.Keys, func(k keywrightv1alpha1.KeyStatus) bool { return k.KeyID == kid })
	switch {
	case i < 0:
		say(c.ErrOut, "%s has no key %s now. A revocation has it remembered as revoked.\n", key.Name, kid)
	case kid == key.Status.ActiveKeyID:
		say(c.ErrOut, "Key %s signs now. A revocation has the Standby sign in its place, and pods reject its tokens once it has left their files.\n", kid)
	default:
		say(c.ErrOut, "Key %s is %s. After a revocation, pods reject its tokens once it has left their files.\n", kid, key.Status.Keys[i].State)
	}
	if yes {
		return nil
	}
	say(c.ErrOut, "Revoke it for ever? [y/N] ")
	if answer := strings.ToLower(c.readLine(ctx)); answer != "y" && answer != "yes" {
		return errors.New("not revoked")
	}
	return nil
}

// readLine reads a line of what the user types. It ends with the context: a read from a terminal does not.
func (c *cli) readLine(ctx context.Context) string {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(c.In).ReadString('\n')
		line <- text
	}()
	select {
	case <-ctx.Done():
		return ""
	case text := <-line:
		return strings.TrimSpace(text)
	}
}

// revoke adds a kid to the list, with the resource version that was read: a list that changed meanwhile is not lost.
func revoke(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, kid string) error {
	if slices.Contains(key.Spec.RevokedKeyIDs, kid) {
		return nil
	}
	before := key.DeepCopy()
	key.Spec.RevokedKeyIDs = append(key.Spec.RevokedKeyIDs, kid)
	return k.Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

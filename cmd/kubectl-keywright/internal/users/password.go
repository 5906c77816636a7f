package users

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/issuer/login"
)

func (c *command) setPasswordCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:   "set-password NAME",
		Short: "Replace the password of a user",
		Long: `Replace the password of a user. The command asks for it twice on a terminal, or reads it from standard input.

Sessions that began with the old password end at their next refresh. Tokens stay valid until they expire.`,
		Example: "  kubectl keywright users set-password alice\n  kubectl keywright users set-password alice -f users.yaml < password.txt",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			list, user, err := c.findUser(ctx, at, args[0])
			if err != nil {
				return err
			}
			hash, err := c.newPassword(ctx)
			if err != nil {
				return err
			}
			if err := list.change(ctx, func(e *login.Edit) error { return e.SetPasswordHash(user.Name, hash) }); err != nil {
				return err
			}
			cli.Printf(c.Out, "User %s has a new password in %s.\n", user.Name, list)
			c.printPropagation(list)
			c.printTokenHint(user)
			return nil
		},
	}
}

// newPassword asks for a password, twice on a terminal, and returns its hash.
func (c *command) newPassword(ctx context.Context) (hash string, err error) {
	password, err := c.ReadPassword(ctx, "New password: ")
	if err != nil {
		return "", err
	}
	if hash, err = login.HashNewPassword(password); err != nil {
		return "", err
	}
	if !c.IsTerminal() {
		return hash, nil
	}
	switch again, err := c.ReadPassword(ctx, "New password, again: "); {
	case err != nil:
		return "", err
	case again != password:
		return "", fmt.Errorf("the passwords differ: nothing was changed")
	}
	return hash, nil
}

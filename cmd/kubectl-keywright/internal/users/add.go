package users

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/issuer/login"
)

func (c *command) addCommand(at *location) *cobra.Command {
	var user login.NewUser
	var claims []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, and ask for the password",
		Long: `Add a user. The command asks for the password twice on a terminal, or reads it from standard input.

The subject is the sub of the user's tokens. It is random unless --subject sets it, and stays when the name changes. A name or
subject that is already in the list is an error. --create creates the list if it does not exist.`,
		Example: `  kubectl keywright users add alice --claim email=alice@example.com --claim 'groups=["staff"]'
  kubectl keywright users add alice --create < password.txt
  kubectl keywright users add alice -f users.yaml --subject 6d1c9e2a --scope read --disabled`,
		Args: cli.ExactArgs("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			user.Name = args[0]
			for _, claim := range claims {
				name, value, found := strings.Cut(claim, "=")
				if !found || name == "" {
					return cli.Usagef("--claim is NAME=VALUE")
				}
				user.Claims = append(user.Claims, login.NewClaim{Name: name, Value: value})
			}
			return c.addUser(cmd.Context(), at, &user)
		},
	}
	cmd.Flags().StringVar(&user.Subject, "subject", "", "`SUB` of the user's tokens (default: a random one)")
	cmd.Flags().StringArrayVar(&user.Scopes, "scope", nil, "restrict the user to this `SCOPE`; can be repeated (default: all scopes that a client can request)")
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "`NAME=VALUE` of an attribute, as JSON, or else a string; can be repeated")
	cmd.Flags().BoolVar(&user.Disabled, "disabled", false, "the user cannot log in until enabled")
	cmd.Flags().BoolVar(&at.create, "create", false, "create the Secret or the file of the user list if it does not exist")
	return cmd
}

func (c *command) addUser(ctx context.Context, at *location, user *login.NewUser) error {
	list, err := c.open(ctx, at)
	if err != nil {
		return err
	}
	if user.Subject == "" {
		user.Subject = login.NewSubject()
	}
	user.PasswordHash = login.HashPassword("") // a placeholder: the list checks everything else before the command asks for the password
	if err := c.checkChange(ctx, list, func(e *login.Edit) error { return e.Add(user) }); err != nil {
		return err
	}
	if user.PasswordHash, err = c.newPassword(ctx); err != nil {
		return err
	}
	if err := list.change(ctx, func(e *login.Edit) error { return e.Add(user) }); err != nil {
		return err
	}
	cli.Printf(c.Out, "User %s is added to %s, with the subject %s.\n", user.Name, list, user.Subject)
	c.printPropagation(list)
	return nil
}

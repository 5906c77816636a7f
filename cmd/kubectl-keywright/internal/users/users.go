package users

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/issuer/login"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command users.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var at location
	cmd := &cobra.Command{
		Use:   "users",
		Short: "List and change the users of an issuer",
		Long: `List and change the users of an issuer, in the Secret that its pods mount, or in a file.

The Secret is keywright-issuer-users in the namespace that Keywright is installed in, unless --secret and -n name another. With -f
the list is a file, for example in a repository. Issuers see it only when it is in the Secret.

A change affects one user, and keeps the others, comments and order. A list that the issuer would refuse is never written.
Passwords are read from the terminal, without an echo, or from standard input: never from an argument. Users in LDAP and
PostgreSQL are changed there.

The commands need permission to get and update that Secret, and no other.`,
		Example: `  kubectl keywright users list
  kubectl keywright users add alice --claim email=alice@example.com
  kubectl keywright users set-password alice < password.txt
  kubectl keywright users disable alice
  kubectl keywright users list -f users.yaml`,
	}
	at.addFlags(cmd)
	cmd.AddCommand(c.listCommand(&at), c.addCommand(&at), c.setPasswordCommand(&at), c.disableCommand(&at), c.enableCommand(&at), c.removeCommand(&at))
	return cmd
}

func (c *command) disableCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:   "disable NAME",
		Short: "Disable a user, and keep the entry",
		Long: `Disable a user, who can no longer log in. The entry stays, so that the name and the subject are not used for another user.

Sessions end at their next refresh. Tokens stay valid until they expire. To revoke them, run the command that this one prints.`,
		Example: "  kubectl keywright users disable alice",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.setDisabled(cmd.Context(), at, args[0], true)
		},
	}
}

func (c *command) enableCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:     "enable NAME",
		Short:   "Enable a disabled user",
		Long:    "Enable a disabled user, who can log in again with the previous password.",
		Example: "  kubectl keywright users enable alice",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.setDisabled(cmd.Context(), at, args[0], false)
		},
	}
}

func (c *command) setDisabled(ctx context.Context, at *location, name string, disabled bool) error {
	list, user, err := c.findUser(ctx, at, name)
	if err != nil {
		return err
	}
	state := map[bool]string{true: "disabled", false: "enabled"}[disabled]
	if user.Disabled == disabled {
		cli.Printf(c.Out, "User %s is already %s in %s.\n", user.Name, state, list)
		return nil
	}
	if err := list.change(ctx, func(e *login.Edit) error { return e.SetDisabled(user.Name, disabled) }); err != nil {
		return err
	}
	cli.Printf(c.Out, "User %s is %s in %s.\n", user.Name, state, list)
	c.printPropagation(list)
	if disabled {
		c.printTokenHint(user)
	}
	return nil
}

func (c *command) removeCommand(at *location) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove a user from the list",
		Long: `Remove a user from the list, and the comment directly above the entry. This cannot be undone: the password is lost.

Do not give the subject to another user, because services identify users by it. To keep the subject reserved, disable the user
instead.
Sessions end at their next refresh. Tokens stay valid until they expire. To revoke them, run the command that this one prints.`,
		Example: "  kubectl keywright users remove alice",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, user, err := c.findUser(cmd.Context(), at, args[0])
			if err != nil {
				return err
			}
			if err := list.change(cmd.Context(), func(e *login.Edit) error { return e.Remove(user.Name) }); err != nil {
				return err
			}
			cli.Printf(c.Out, "User %s is removed from %s.\n", user.Name, list)
			c.printPropagation(list)
			c.printTokenHint(user)
			return nil
		},
	}
}

// findUser returns the list that the flags select, and a user in it.
func (c *command) findUser(ctx context.Context, at *location, name string) (userList, *login.Description, error) {
	list, err := c.open(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	e, err := edit(ctx, list)
	if err != nil {
		return nil, nil, err
	}
	user, err := e.Find(name)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", list, err)
	}
	return list, user, nil
}

// checkChange applies a change without writing it, to report mistakes early.
func (c *command) checkChange(ctx context.Context, list userList, change func(*login.Edit) error) error {
	e, err := edit(ctx, list)
	if err != nil {
		return err
	}
	if err := change(e); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	return nil
}

// printPropagation prints when issuers see the change.
func (c *command) printPropagation(list userList) {
	secret, ok := list.(*secretList)
	if !ok {
		cli.Printf(c.ErrOut, "Issuers see this change when the file is in the Secret that their pods mount. To replace the whole list there:\n"+
			"  kubectl create secret generic %s -n %s --from-file=%s=%s --dry-run=client -o yaml | kubectl apply -f -\n",
			defaultSecret, cli.DefaultKeyNamespace, secretEntry, shellWord(list.String()))
		return
	}
	cli.Printf(c.ErrOut, "Issuers see the changed user list within 90 s, when their kubelets renew the files. To renew them at once:\n"+
		"  kubectl annotate pods -n %s -l app.kubernetes.io/component=issuer --overwrite keywright.dev/nudged-at=\"$(date)\"\n", secret.namespace)
}

// printTokenHint prints the command that revokes the tokens of a user.
func (c *command) printTokenHint(user *login.Description) {
	cli.Printf(c.ErrOut, "Tokens of %s stay valid until they expire. To revoke them after the issuers have reloaded the list, with the name of your SigningKey:\n"+
		"  kubectl keywright revoke SIGNINGKEY --subject %s --nudge -w\n", user.Name, shellWord(user.Subject))
}

var unquotedWord = regexp.MustCompile(`^[\w@%+=:,./][\w@%+=:,./-]*$`)

// shellWord quotes a text for a shell if necessary.
func shellWord(text string) string {
	if unquotedWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// completeUsers completes the name of a user.
func (c *command) completeUsers(at *location) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list, err := c.open(cmd.Context(), at)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		e, err := edit(cmd.Context(), list)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for _, user := range e.Users().Describe() {
			names = append(names, user.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

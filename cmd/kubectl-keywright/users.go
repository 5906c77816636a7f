package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/issuer/login"
)

func (c *cli) usersCommand() *cobra.Command {
	var at usersAt
	cmd := &cobra.Command{
		Use:   "users",
		Short: "List and change the users of an issuer: their names, passwords, and who is disabled",
		Long: `List and change the users of an issuer, in the Secret that its pods mount, or in a file.

The Secret is keywright-issuer-users in the namespace that Keywright is installed in, unless --secret and -n name another. With -f
the list is a file, as in a repository; nothing reaches an issuer then until that file is in the Secret.

A change touches one user, and leaves the others, comments and order as they are. A list that the issuer would refuse is never
written. Passwords come from the terminal, without an echo, or from standard input: never from an argument. Users of LDAP
and PostgreSQL are changed there.

It needs the rights to get and update that Secret, and no other.`,
		Example: `  kubectl keywright users list
  kubectl keywright users add alice --claim email=alice@example.com
  kubectl keywright users set-password alice < password.txt
  kubectl keywright users disable alice
  kubectl keywright users list -f users.yaml`,
	}
	at.addFlags(cmd)
	cmd.AddCommand(c.usersListCommand(&at), c.usersAddCommand(&at), c.usersSetPasswordCommand(&at), c.usersDisableCommand(&at), c.usersEnableCommand(&at), c.usersRemoveCommand(&at))
	return cmd
}

func (c *cli) usersAddCommand(at *usersAt) *cobra.Command {
	var user login.NewUser
	var claims []string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, with a password that is asked for",
		Long: `Add a user, with a password that is asked for twice on a terminal, or read from standard input.

The subject is the sub of the user's tokens. It is random unless --subject gives one, and stays when the name changes. A name or
subject that is in the list already is an error. A list that does not exist is made with --create.`,
		Example: `  kubectl keywright users add alice --claim email=alice@example.com --claim 'groups=["staff"]'
  kubectl keywright users add alice --create < password.txt
  kubectl keywright users add alice -f users.yaml --subject 6d1c9e2a --scope read --disabled`,
		Args: exactly("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			user.Name = args[0]
			for _, claim := range claims {
				name, value, found := strings.Cut(claim, "=")
				if !found || name == "" {
					return usage("--claim is NAME=VALUE")
				}
				user.Claims = append(user.Claims, login.NewClaim{Name: name, Value: value})
			}
			return c.addUser(cmd.Context(), at, &user)
		},
	}
	cmd.Flags().StringVar(&user.Subject, "subject", "", "`SUB` of the user's tokens (default: a random one)")
	cmd.Flags().StringArrayVar(&user.Scopes, "scope", nil, "`SCOPE` that the user can have, and no others; may be given again (default: all that a client can ask for)")
	cmd.Flags().StringArrayVar(&claims, "claim", nil, "`NAME=VALUE` of an attribute, as JSON or else a text; may be given again")
	cmd.Flags().BoolVar(&user.Disabled, "disabled", false, "the user cannot log in until it is enabled")
	cmd.Flags().BoolVar(&at.create, "create", false, "make the list if there is none")
	return cmd
}

func (c *cli) addUser(ctx context.Context, at *usersAt, user *login.NewUser) error {
	list, err := c.openUsers(ctx, at)
	if err != nil {
		return err
	}
	if user.Subject == "" {
		user.Subject = login.NewSubject()
	}
	user.PasswordHash = login.HashPassword("") // nobody's: the list takes all but the password, before it is asked for
	if err := c.tryChange(ctx, list, func(e *login.Edit) error { return e.Add(user) }); err != nil {
		return err
	}
	if user.PasswordHash, err = c.newPassword(ctx); err != nil {
		return err
	}
	if err := list.change(ctx, func(e *login.Edit) error { return e.Add(user) }); err != nil {
		return err
	}
	say(c.Out, "User %s is added to %s, with the subject %s.\n", user.Name, list, user.Subject)
	c.sayWhen(list)
	return nil
}

func (c *cli) usersSetPasswordCommand(at *usersAt) *cobra.Command {
	return &cobra.Command{
		Use:   "set-password NAME",
		Short: "Replace the password of a user, which is asked for",
		Long: `Replace the password of a user. It is asked for twice on a terminal, or read from standard input.

Sessions that began with the old password end at their next refresh. Tokens stay valid until they expire.`,
		Example: "  kubectl keywright users set-password alice\n  kubectl keywright users set-password alice -f users.yaml < password.txt",
		Args:    exactly("NAME"), ValidArgsFunction: c.completeUsers(at),
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
			say(c.Out, "User %s has a new password in %s.\n", user.Name, list)
			c.sayWhen(list)
			c.sayTokens(user)
			return nil
		},
	}
}

func (c *cli) usersDisableCommand(at *usersAt) *cobra.Command {
	return &cobra.Command{
		Use:   "disable NAME",
		Short: "Let a user log in no more, and keep the entry",
		Long: `Let a user log in no more. The entry stays, so that the name and the subject are not given to anybody else.

Sessions end at their next refresh. Tokens stay valid until they expire: the command says which other one ends them.`,
		Example: "  kubectl keywright users disable alice",
		Args:    exactly("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.setDisabled(cmd.Context(), at, args[0], true)
		},
	}
}

func (c *cli) usersEnableCommand(at *usersAt) *cobra.Command {
	return &cobra.Command{
		Use:     "enable NAME",
		Short:   "Let a user log in again who was disabled",
		Long:    "Let a user log in again who was disabled, with the password that the user had.",
		Example: "  kubectl keywright users enable alice",
		Args:    exactly("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.setDisabled(cmd.Context(), at, args[0], false)
		},
	}
}

func (c *cli) setDisabled(ctx context.Context, at *usersAt, name string, disabled bool) error {
	list, user, err := c.findUser(ctx, at, name)
	if err != nil {
		return err
	}
	state := map[bool]string{true: "disabled", false: "enabled"}[disabled]
	if user.Disabled == disabled {
		say(c.Out, "User %s is %s already in %s.\n", user.Name, state, list)
		return nil
	}
	if err := list.change(ctx, func(e *login.Edit) error { return e.SetDisabled(user.Name, disabled) }); err != nil {
		return err
	}
	say(c.Out, "User %s is %s in %s.\n", user.Name, state, list)
	c.sayWhen(list)
	if disabled {
		c.sayTokens(user)
	}
	return nil
}

func (c *cli) usersRemoveCommand(at *usersAt) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a user out of the list",
		Long: `Take a user out of the list, with the comment right above the entry. It cannot be taken back: the password is gone.

The subject is free then. Give it to nobody else, since services know the user by it; to disable the user keeps it.
Sessions end at their next refresh. Tokens stay valid until they expire: the command says which other one ends them.`,
		Example: "  kubectl keywright users remove alice",
		Args:    exactly("NAME"), ValidArgsFunction: c.completeUsers(at),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, user, err := c.findUser(cmd.Context(), at, args[0])
			if err != nil {
				return err
			}
			if err := list.change(cmd.Context(), func(e *login.Edit) error { return e.Remove(user.Name) }); err != nil {
				return err
			}
			say(c.Out, "User %s is removed from %s.\n", user.Name, list)
			c.sayWhen(list)
			c.sayTokens(user)
			return nil
		},
	}
}

// findUser returns the list and a user in it.
func (c *cli) findUser(ctx context.Context, at *usersAt, name string) (usersList, *login.Description, error) {
	list, err := c.openUsers(ctx, at)
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

// tryChange makes a change that is not written, to find mistakes early.
func (c *cli) tryChange(ctx context.Context, list usersList, change func(*login.Edit) error) error {
	e, err := edit(ctx, list)
	if err != nil {
		return err
	}
	if err := change(e); err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	return nil
}

// newPassword asks for a password, twice where a person types it unseen, and returns its hash.
func (c *cli) newPassword(ctx context.Context) (hash string, err error) {
	password, err := c.readPassword(ctx, "New password: ")
	if err != nil {
		return "", err
	}
	if hash, err = login.HashNewPassword(password); err != nil {
		return "", err
	}
	if !c.isTerminal() {
		return hash, nil
	}
	switch again, err := c.readPassword(ctx, "New password, again: "); {
	case err != nil:
		return "", err
	case again != password:
		return "", fmt.Errorf("the passwords differ: nothing is changed")
	}
	return hash, nil
}

// sayWhen says how long it takes until issuers know.
func (c *cli) sayWhen(list usersList) {
	secret, ok := list.(*usersSecret)
	if !ok {
		say(c.ErrOut, "No issuer knows of this until the file is in the Secret that its pods mount. This replaces the whole list there:\n"+
			"  kubectl create secret generic %s -n %s --from-file=%s=%s --dry-run=client -o yaml | kubectl apply -f -\n",
			usualUsersSecret, usualKeyNamespace, usersEntry, shellWord(list.String()))
		return
	}
	say(c.ErrOut, "Issuers pick it up without a restart once their kubelets have renewed the file, 0 to 90 s from now. This hurries them:\n"+
		"  kubectl annotate pods -n %s -l app.kubernetes.io/component=issuer --overwrite keywright.dev/nudged-at=\"$(date)\"\n", secret.namespace)
}

// sayTokens says what ends the tokens that a user has.
func (c *cli) sayTokens(user *login.Description) {
	say(c.ErrOut, "Tokens of %s stay valid until they expire. When the issuers know, this ends them, with the name of your SigningKey:\n"+
		"  kubectl keywright revoke SIGNINGKEY --subject %s --nudge -w\n", user.Name, shellWord(user.Subject))
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./][\w@%+=:,./-]*$`)

// shellWord quotes a text for a shell if it needs that.
func shellWord(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// completeUsers offers the names of the users to the shell.
func (c *cli) completeUsers(at *usersAt) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		list, err := c.openUsers(cmd.Context(), at)
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

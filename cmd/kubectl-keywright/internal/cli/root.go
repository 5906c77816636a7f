package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/keywright/keywright/api/contract"
)

// NewRoot returns the plugin with the given commands, and with those that cobra and kubectl have: help, completion and options.
func NewRoot(streams genericiooptions.IOStreams, now func() time.Time, commands ...func(*Env) *cobra.Command) *cobra.Command {
	e := &Env{IOStreams: streams, flags: genericclioptions.NewConfigFlags(true), Now: now}
	root := &cobra.Command{
		Use:           "kubectl-keywright",
		Short:         "Inspect and manage the signing keys that a cluster trusts",
		SilenceErrors: true, SilenceUsage: true,
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl keywright"},
	}
	root.SetIn(e.In)
	root.SetOut(e.Out)
	root.SetErr(e.ErrOut)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &UsageError{err} })
	e.flags.AddFlags(root.PersistentFlags())
	root.PersistentFlags().StringVar(&e.KeyNamespace, "key-namespace", "",
		"`NAMESPACE` that Keywright is installed in (default: the one that has the Lease "+contract.Lease+")")
	for _, command := range commands {
		root.AddCommand(command(e))
	}
	root.AddCommand(optionsCommand())
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	setCompletionHelp(root)
	hideGlobalOptions(root)
	checkArgs(root)
	return root
}

// helpCommand is that of cobra, but fails for an unknown command.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return Usagef("there is no command %q", strings.Join(args, " "))
			}
			return about.Help()
		},
	}
}

// checkArgs makes each command return a UsageError for arguments that it does not accept. A command that only has subcommands prints its
// help.
func checkArgs(cmd *cobra.Command) {
	for _, child := range cmd.Commands() {
		checkArgs(child)
	}
	check := cmd.Args
	if !cmd.Runnable() {
		cmd.SuggestionsMinimumDistance = 2
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		check = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			suggestion := ""
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				suggestion = "; did you mean " + strings.Join(near, " or ") + "?"
			}
			return fmt.Errorf("%s has no command %q%s", cmd.CommandPath(), args[0], suggestion)
		}
	}
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		var usage *UsageError
		if err == nil || errors.As(err, &usage) {
			return err
		}
		return &UsageError{err}
	}
}

// ExactArgs accepts exactly the named arguments. The error names all of them.
func ExactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return Usagef("%s takes %s: see --help", cmd.CommandPath(), cmp.Or(strings.Join(names, " "), "no arguments"))
		}
		return nil
	}
}

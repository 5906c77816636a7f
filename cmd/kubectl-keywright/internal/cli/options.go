package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// optionsCommand prints the global flags, as `kubectl options` does.
func optionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "options",
		Short:   "List the options that all commands accept",
		Long:    "List the options that all commands accept, such as those that select the cluster, the namespace and the kubeconfig user.",
		Example: "  kubectl keywright options",
		Args:    ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			Printf(cmd.OutOrStdout(), "The following options can be passed to any command:\n\n%s", cmd.Root().PersistentFlags().FlagUsages())
			return nil
		},
	}
}

// hideGlobalOptions removes the global flags from the help of each command, and names the command that prints them. Completion keeps them.
func hideGlobalOptions(root *cobra.Command) {
	usual := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		hide := func(hidden bool) {
			root.PersistentFlags().VisitAll(func(flag *pflag.Flag) { flag.Hidden = hidden })
		}
		hide(true)
		defer hide(false)
		err := usual(cmd)
		Printf(cmd.OutOrStderr(), "\nUse \"kubectl keywright options\" for a list of global command-line options (applies to all commands).\n")
		return err
	})
}

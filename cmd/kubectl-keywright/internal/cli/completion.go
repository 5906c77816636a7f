package cli

import (
	"github.com/spf13/cobra"
)

// completionHelp is the help of completion. kubectl completes a plugin with an executable of another name.
const completionHelp = `Let the shell complete commands, flags, the names of SigningKeys and users, and the IDs of keys.

kubectl runs an executable named kubectl_complete-keywright in the PATH. Write these two lines into it:

  #!/bin/sh
  kubectl keywright __complete "$@"

and make it executable (chmod +x). The shell must complete kubectl itself: see "kubectl completion --help". Use the commands
below only if you call the plugin as kubectl-keywright.`

// setCompletionHelp replaces the help of cobra, which is wrong for a plugin of kubectl.
func setCompletionHelp(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Long = completionHelp
		cmd.Example = `  printf '%s\n' '#!/bin/sh' 'kubectl keywright __complete "$@"' > ~/bin/kubectl_complete-keywright
  chmod +x ~/bin/kubectl_complete-keywright`
	}
}

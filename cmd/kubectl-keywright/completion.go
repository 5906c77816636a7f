package main

import "github.com/spf13/cobra"

// aboutCompletion says how kubectl completes what a plugin takes: it asks an executable of another name.
const aboutCompletion = `Let the shell complete commands, flags, the names of SigningKeys and users, and the IDs of keys.

kubectl asks an executable named kubectl_complete-keywright in the PATH, beside the plugin. Write these two lines into it:

  #!/bin/sh
  kubectl keywright __complete "$@"

and make it executable (chmod +x). The shell must complete kubectl itself: see "kubectl completion --help". The commands below
are for whoever calls the plugin as kubectl-keywright.`

// explainCompletion replaces the text of the command that cobra makes, which does not know that this is a plugin.
func explainCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	if cmd, _, err := root.Find([]string{"completion"}); err == nil {
		cmd.Long = aboutCompletion
		cmd.Example = `  printf '%s\n' '#!/bin/sh' 'kubectl keywright __complete "$@"' > ~/bin/kubectl_complete-keywright
  chmod +x ~/bin/kubectl_complete-keywright`
	}
}

package users

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/issuer/login"
)

func (c *command) listCommand(at *location) *cobra.Command {
	var output string
	formats := []string{"json", "yaml", "name"}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users, and how their passwords are hashed",
		Long:    "List the users in the order of the list, with their scopes and the algorithm of the password hash. Hashes are not printed.",
		Example: "  kubectl keywright users list\n  kubectl keywright users list -f users.yaml -o json",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && !slices.Contains(formats, output) {
				return cli.Usagef("--output must be json, yaml or name, not %q", output)
			}
			list, err := c.open(cmd.Context(), at)
			if err != nil {
				return err
			}
			e, err := edit(cmd.Context(), list)
			if err != nil {
				return err
			}
			return c.printUsers(e.Users().Describe(), list, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, yaml or name")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (c *command) printUsers(users []login.Description, list userList, output string) error {
	switch output {
	case "name":
		for i := range users {
			cli.Printf(c.Out, "%s\n", users[i].Name)
		}
		return nil
	case "json", "yaml":
		b, err := json.MarshalIndent(users, "", "  ")
		if err == nil && output == "yaml" {
			b, err = yaml.JSONToYAML(b)
		}
		if err != nil {
			return err
		}
		cli.Printf(c.Out, "%s\n", strings.TrimRight(string(b), "\n"))
		return nil
	}
	if len(users) == 0 {
		cli.Printf(c.ErrOut, "There are no users in %s.\n", list)
		return nil
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "NAME\tSUBJECT\tDISABLED\tSCOPES\tHASH\n")
	for i := range users {
		u := &users[i]
		cli.Printf(table, "%s\t%s\t%t\t%s\t%s\n", u.Name, u.Subject, u.Disabled, scopesOf(u), fmt.Sprintf("%s %s", u.Hash.Scheme, u.Hash.Cost))
	}
	return table.Flush()
}

// scopesOf returns the scopes that a user can have. <any> and <none> are not valid scopes.
func scopesOf(u *login.Description) string {
	switch {
	case u.Scopes == nil:
		return "<any>"
	case len(u.Scopes) == 0:
		return "<none>"
	default:
		return strings.Join(u.Scopes, ",")
	}
}

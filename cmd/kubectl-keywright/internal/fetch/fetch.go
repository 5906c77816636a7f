package fetch

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/source"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// Command returns the command fetch.
func Command(env *cli.Env) *cobra.Command {
	c := &command{env}
	var file string
	cmd := &cobra.Command{
		Use:   "fetch ISSUER | fetch -f FILE",
		Short: "Read the keys of another issuer once, and print which would be distributed",
		Long: "Read the keys as the fetcher does, but from this machine. Print which keys would be distributed, which not, and why.\n" +
			"Nothing is written. spec.keys.kubernetes and spec.keys.caConfigMap require access to a cluster. The exit code is 1 if no key would be distributed, and 2 if the\n" +
			"keys could not be read.",
		Example: "  kubectl keywright fetch https://token.actions.githubusercontent.com\n  kubectl keywright fetch -f trustedissuer.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			spec, err := c.sourceSpec(cmd.Context(), file, args)
			if err != nil {
				return err
			}
			keys, err := source.Read(cmd.Context(), spec, userCluster{c}, "")
			c.printFetched(keys)
			if err != nil && len(keys.LeftOut) > 0 {
				return cli.Negative(err)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "filename", "f", "", "`FILE` with a TrustedIssuer, - for standard input")
	return cmd
}

// sourceSpec returns the spec of the file, or one with discovery for the issuer.
func (c *command) sourceSpec(ctx context.Context, file string, args []string) (*keywrightv1alpha1.TrustedIssuerSpec, error) {
	switch {
	case file == "" && len(args) == 1:
		return &keywrightv1alpha1.TrustedIssuerSpec{
			Issuer: args[0], Keys: keywrightv1alpha1.KeySource{Discovery: &keywrightv1alpha1.Discovery{}},
		}, nil
	case file == "" || len(args) > 0:
		return nil, cli.Usagef("fetch takes the URL of one issuer, or -f FILE: see --help")
	}
	b, err := c.ReadFile(ctx, file)
	if err != nil {
		return nil, err
	}
	var ti keywrightv1alpha1.TrustedIssuer
	if err := yaml.UnmarshalStrict(b, &ti); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if ti.Kind != "TrustedIssuer" || ti.APIVersion != keywrightv1alpha1.GroupVersion().String() {
		return nil, fmt.Errorf("%s does not contain a TrustedIssuer of apiVersion %s", file, keywrightv1alpha1.GroupVersion())
	}
	k := &ti.Spec.Keys
	if k.Discovery == nil && k.URL == "" && k.Inline == "" && k.SPIFFEBundle == nil && k.Kubernetes == nil {
		return nil, fmt.Errorf("%s: spec.keys must have one of discovery, url, inline, spiffeBundle and kubernetes", file)
	}
	return &ti.Spec, nil
}

func (c *command) printFetched(keys source.Keys) {
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	if len(keys.Published)+len(keys.LeftOut) > 0 {
		cli.Printf(table, "KEY\tALGORITHM\tDISTRIBUTED\tWHY NOT\n")
	}
	for _, k := range keys.Published {
		cli.Printf(table, "%s\t%s\tyes\t\n", k.ID, k.Algorithm)
	}
	for _, l := range keys.LeftOut {
		cli.Printf(table, "%s\t\tno\t%s\n", l.KeyID, l)
	}
	_ = table.Flush()
	if keys.MaxAge > 0 {
		cli.Printf(c.Out, "The issuer allows its keys to be cached for %s: the fetcher reads them again no later than that.\n", keys.MaxAge.Round(time.Second))
	}
}

// userCluster implements source.Cluster with the permissions of the user.
type userCluster struct{ *command }

// ConfigMapEntry implements source.Cluster.
func (c userCluster) ConfigMapEntry(ctx context.Context, name, key string) (string, error) {
	k, err := c.Client()
	if err != nil {
		return "", err
	}
	namespace, err := leader.KeyNamespace(ctx, c.Env, k)
	if err != nil {
		return "", err
	}
	return source.ConfigMapEntry(ctx, k, namespace, name, key)
}

// Read implements source.Cluster.
func (c userCluster) Read(ctx context.Context, path string) ([]byte, error) {
	k, err := c.RESTClient()
	if err != nil {
		return nil, err
	}
	return k.Get().AbsPath(path).DoRaw(ctx)
}

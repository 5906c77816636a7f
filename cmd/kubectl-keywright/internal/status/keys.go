package status

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/leader"
)

// KeysCommand returns the command keys.
func KeysCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	var output string
	cmd := &cobra.Command{
		Use:   "keys NAME",
		Short: "Print the public keys of a SigningKey or a TrustedIssuer, as verifiers read them",
		Long: "Print the public keys in the ConfigMap keywright-jwks of the key namespace. With -o jwks, print a JWKS (RFC 7517), to upload for\n" +
			"verifiers that cannot fetch it: it has the Standby key a whole interval before that key signs.",
		Example: "  kubectl keywright keys main\n  kubectl keywright keys main -o jwks > jwks.json",
		Args:    cli.ExactArgs("NAME"), ValidArgsFunction: c.CompleteKeySets,
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "" && output != "jwks" {
				return cli.Usagef("--output must be jwks, not %q", output)
			}
			k, err := c.Client()
			if err != nil {
				return err
			}
			set, err := c.keySet(cmd.Context(), k, args[0])
			if err != nil {
				return err
			}
			if output == "jwks" {
				cli.Printf(c.Out, "%s\n", set)
				return nil
			}
			return c.printKeys(set)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "jwks, for programs")
	return cmd
}

// keySet reads the key set with a name in the key namespace.
func (c *command) keySet(ctx context.Context, k client.Client, name string) (string, error) {
	namespace, err := leader.KeyNamespace(ctx, c.Env, k)
	if err != nil {
		return "", err
	}
	var cm corev1.ConfigMap
	err = k.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if client.IgnoreNotFound(err) != nil {
		return "", err
	}
	set, ok := cm.Data[name+contract.JWKSSuffix]
	if apierrors.IsNotFound(err) || !ok {
		return "", fmt.Errorf("ConfigMap %s/%s has no keys of %q: `kubectl get signingkeys,trustedissuers` lists the names", namespace, contract.JWKSConfigMap, name)
	}
	return set, nil
}

func (c *command) printKeys(set string) error {
	keys, err := issuerfiles.DecodeKeySet([]byte(set))
	if err != nil {
		return fmt.Errorf("the key set %w", err)
	}
	if len(keys) == 0 {
		cli.Printf(c.ErrOut, "The key set is a tombstone: verifiers trust no key.\n")
		return nil
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	cli.Printf(table, "KEY\tALGORITHM\tTYPE\n")
	for _, key := range keys {
		var members struct {
			Type string `json:"kty"`
		}
		if err := json.Unmarshal(key.JWK, &members); err != nil {
			return err
		}
		cli.Printf(table, "%s\t%s\t%s\n", key.ID, issuerfiles.Algorithm(key.JWK), members.Type)
	}
	return table.Flush()
}

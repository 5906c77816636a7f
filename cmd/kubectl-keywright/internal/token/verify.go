package token

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/untrusted"
	"github.com/keywright/keywright/verifier"
)

// VerifyCommand returns the command verify.
func VerifyCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	var file, name, issuer, revoked string
	var config verifier.Config
	cmd := &cobra.Command{
		Use:   "verify TOKEN|-",
		Short: "Verify a token as a service would, and print its claims",
		Long: `Verify a token as a service would, and print its claims as JSON.

The keys are read from --jwks FILE, or from the ConfigMap of the namespace (-n) for --signing-key NAME. The revocation list is
<name>.revoked beside <name>.json, unless --revoked FILE selects another. With - the token is read from standard input, which
keeps it out of the shell history. The exit code is 1 if the token is not valid, and 2 if it could not be verified.`,
		Example: "  kubectl keywright verify - --signing-key main -n shop --issuer https://issuer.example.com --audience https://shop.example.com < token.txt",
		Args:    cli.ExactArgs("TOKEN|-"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if issuer == "" || config.Audience == "" || (file == "") == (name == "") {
				return cli.Usagef("verify needs --issuer, --audience, and either --jwks or --signing-key")
			}
			token, err := c.readToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if name != "" || revoked != "" {
				temporary, err := os.MkdirTemp("", "keywright-")
				if err != nil {
					return err
				}
				defer func() { _ = os.RemoveAll(temporary) }()
				if file, err = c.mount(cmd.Context(), temporary, file, name, revoked); err != nil {
					return err
				}
			}
			config.Issuers, config.Now = map[string]verifier.Source{issuer: verifier.File(file)}, c.Now
			return c.verify(cmd.Context(), config, token)
		},
	}
	cmd.Flags().StringVar(&file, "jwks", "", "key set `FILE`")
	cmd.Flags().StringVar(&revoked, "revoked", "", "revocation list `FILE` (default: the one next to the key set)")
	cmd.Flags().StringVar(&name, "signing-key", "", "`NAME` of the SigningKey whose file in the cluster is used")
	cmd.Flags().StringVar(&issuer, "issuer", "", "iss that the token must have")
	cmd.Flags().StringVar(&config.Audience, "audience", "", "audience that the token must have")
	cmd.Flags().StringVar(&config.Type, "type", "", "typ that the token must have (default at+jwt)")
	return cmd
}

// readToken returns the token of the argument, or of standard input.
func (c *command) readToken(ctx context.Context, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	b, err := c.ReadAll(ctx, cli.MaxInput)
	token := strings.TrimSpace(string(b))
	if err == nil && token == "" {
		return "", cli.Usagef("standard input is empty: pipe the token into the command")
	}
	return token, err
}

// mount writes a key set and its revocation list into a directory, as pods mount them, and returns the path of the key set.
func (c *command) mount(ctx context.Context, directory, file, name, revoked string) (string, error) {
	var keys, list []byte
	var err error
	if name != "" {
		keys, list, err = c.readFiles(ctx, name)
	} else {
		keys, err = os.ReadFile(file) //nolint:gosec // the user names the file
	}
	if err != nil {
		return "", err
	}
	if revoked != "" {
		if list, err = os.ReadFile(revoked); err != nil { //nolint:gosec // the user names the file
			return "", err
		}
	}
	mounted, err := os.OpenRoot(directory)
	if err != nil {
		return "", err
	}
	defer func() { _ = mounted.Close() }()
	if list != nil {
		if _, err := issuerfiles.DecodeRevoked(list); err != nil {
			return "", fmt.Errorf("the revocation list %w", err)
		}
		if err := mounted.WriteFile("keys"+contract.RevokedSuffix, list, 0o600); err != nil {
			return "", err
		}
	}
	const keySet = "keys" + contract.JWKSSuffix
	return filepath.Join(directory, keySet), mounted.WriteFile(keySet, keys, 0o600)
}

// readFiles returns the files that pods of the namespace mount: the key set, and the revocation list, nil if there is none.
func (c *command) readFiles(ctx context.Context, name string) (keys, list []byte, err error) {
	k, err := c.Client()
	if err != nil {
		return nil, nil, err
	}
	namespace, err := c.Namespace()
	if err != nil {
		return nil, nil, err
	}
	var cm corev1.ConfigMap
	err = k.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if client.IgnoreNotFound(err) != nil {
		return nil, nil, err
	}
	set, ok := cm.Data[name+contract.JWKSSuffix]
	if !ok {
		return nil, nil, fmt.Errorf("ConfigMap %s/%s has no keys of %q: use -n with a namespace that its namespaceSelector selects",
			namespace, contract.JWKSConfigMap, name)
	}
	if revoked, ok := cm.Data[name+contract.RevokedSuffix]; ok {
		list = []byte(revoked)
	}
	return []byte(set), list, nil
}

// verify prints the claims of a token that is valid.
func (c *command) verify(ctx context.Context, config verifier.Config, token string) error {
	config.Logger = slog.New(slog.DiscardHandler)
	v, err := verifier.New(config)
	if err != nil {
		return err
	}
	defer v.Close()
	verified, err := v.Verify(ctx, token)
	if err != nil {
		return c.explain(err, token, config, v)
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return err
	}
	text, err := untrusted.JSON(claims)
	cli.Printf(c.Out, "%s", text)
	cli.Printf(c.ErrOut, "valid: signed by key %s\n", verified.KeyID())
	return err
}

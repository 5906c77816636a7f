package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier"
)

func (c *cli) verifyCommand() *cobra.Command {
	var file, name, issuer, revoked string
	var config verifier.Config
	cmd := &cobra.Command{
		Use:   "verify TOKEN|-",
		Short: "Verify a token as a service would, and print its claims",
		Long: `Verify a token as a service would, and print its claims as JSON.

The keys come from --jwks FILE, or from the ConfigMap of --signing-key NAME in the namespace (-n), and so does the list of
what was ended early, unless --revoked FILE names another. With - the token is read from standard input, which keeps it out
of the shell's history. Exit code 1 and the reason if the token is not valid.`,
		Args: exactly("TOKEN|-"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if issuer == "" || config.Audience == "" || (file == "") == (name == "") {
				return usage("verify needs --issuer, --audience, and either --jwks or --signing-key")
			}
			token, err := c.readToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if file == "" {
				temporary, err := os.MkdirTemp("", "keywright-")
				if err != nil {
					return err
				}
				defer func() { _ = os.RemoveAll(temporary) }()
				file = filepath.Join(temporary, name+contract.JWKSSuffix)
				listed, err := c.fetchKeys(cmd.Context(), name, temporary)
				if err != nil {
					return err
				}
				if revoked == "" && listed {
					revoked = filepath.Join(temporary, name+contract.RevokedSuffix)
				}
			}
			config.Issuers, config.Now = map[string]verifier.Source{issuer: verifier.File(file)}, c.now
			return c.verify(cmd.Context(), config, token, revoked)
		},
	}
	cmd.Flags().StringVar(&file, "jwks", "", "key set `FILE`")
	cmd.Flags().StringVar(&revoked, "revoked", "", "revocation list `FILE`, which stands beside the key set as <name>.revoked")
	cmd.Flags().StringVar(&name, "signing-key", "", "`NAME` of the SigningKey whose file in the cluster is used")
	cmd.Flags().StringVar(&issuer, "issuer", "", "iss that the token must have")
	cmd.Flags().StringVar(&config.Audience, "audience", "", "audience that the token must have")
	cmd.Flags().StringVar(&config.Type, "type", "", "typ that the token must have (default at+jwt)")
	return cmd
}

// readToken takes the token from the argument, or from standard input.
func (c *cli) readToken(ctx context.Context, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	b, err := c.readAll(ctx, maxInput)
	return strings.TrimSpace(string(b)), err
}

// fetchKeys writes what the pods of the namespace mount into a directory, and tells whether a revocation list is there.
func (c *cli) fetchKeys(ctx context.Context, name, directory string) (listed bool, err error) {
	k, err := c.client()
	if err != nil {
		return false, err
	}
	namespace, _, err := c.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return false, err
	}
	var cm corev1.ConfigMap
	if err := k.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm); err != nil {
		return false, err
	}
	keys, ok := cm.Data[name+contract.JWKSSuffix]
	if !ok {
		return false, fmt.Errorf("namespace %s has no keys of SigningKey %s: is it selected?", namespace, name)
	}
	if list, ok := cm.Data[name+contract.RevokedSuffix]; ok {
		listed = true
		if err := os.WriteFile(filepath.Join(directory, name+contract.RevokedSuffix), []byte(list), 0o600); err != nil {
			return false, err
		}
	}
	return listed, os.WriteFile(filepath.Join(directory, name+contract.JWKSSuffix), []byte(keys), 0o600)
}

// verify prints the claims of a token that is valid, and that the list, if there is one, does not end.
func (c *cli) verify(ctx context.Context, config verifier.Config, token, revoked string) error {
	config.Logger = slog.New(slog.DiscardHandler)
	v, err := verifier.New(config)
	if err != nil {
		return err
	}
	defer v.Close()
	verified, err := v.Verify(ctx, token)
	if err != nil {
		return err
	}
	if revoked != "" {
		if err := notRevoked(verified, revoked); err != nil {
			return err
		}
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return err
	}
	b, err := json.MarshalIndent(claims, "", "  ")
	say(c.Out, "%s\n", b)
	say(c.ErrOut, "valid: signed by key %s\n", verified.KeyID())
	return err
}

// notRevoked refuses a token that a revocation list ends.
func notRevoked(token *verifier.Token, file string) error {
	b, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return err
	}
	list, err := issuerfiles.DecodeRevoked(b)
	if err != nil {
		return fmt.Errorf("%s %w", file, err)
	}
	if slices.Contains(list.KeyIDs, token.KeyID()) {
		return fmt.Errorf("revoked: the list names key %s, which signed the token", token.KeyID())
	}
	var claims struct {
		SessionID string `json:"sid"`
		AuthTime  int64  `json:"auth_time"`
	}
	if err := token.Claims(&claims); err != nil {
		return err
	}
	at := token.IssuedAt()
	if claims.AuthTime != 0 {
		at = time.Unix(claims.AuthTime, 0)
	}
	values := map[string]string{
		issuerfiles.ClaimTokenID: token.ID(), issuerfiles.ClaimSessionID: claims.SessionID,
		issuerfiles.ClaimSubject: token.Subject(), issuerfiles.ClaimClientID: token.ClientID(),
	}
	if list.Ends(at, values) {
		return errors.New("revoked: the list ends this token, its session, or the tokens of its user or client from before a time")
	}
	return nil
}

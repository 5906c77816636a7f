package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// LoginCommand returns the command token.
func LoginCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	var issuer, ca, clientID, username string
	cmd := &cobra.Command{
		Use:     "token",
		Short:   "Log in at an issuer and print the token",
		Long:    "Log in at an issuer with a user name and a password, and print the token. The password is read from the terminal or from\nstandard input, never from an argument. The exit code is 1 if the issuer refuses the login.",
		Example: "  kubectl keywright token --url https://issuer.example.com --client-id web --username alice",
		Args:    cli.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if issuer == "" || clientID == "" || username == "" {
				return cli.Usagef("token needs --url, --client-id and --username")
			}
			pool, err := certPool(ca)
			if err != nil {
				return err
			}
			password, err := c.ReadPassword(cmd.Context(), "Password: ")
			if err != nil {
				return err
			}
			token, err := logIn(cmd.Context(), pool, issuer, url.Values{
				"grant_type": {"password"}, "client_id": {clientID}, "username": {username}, "password": {password},
			})
			if err != nil {
				return err
			}
			cli.Printf(c.Out, "%s\n", token)
			return nil
		},
	}
	cmd.Flags().StringVar(&issuer, "url", "", "`URL` of the issuer")
	cmd.Flags().StringVar(&ca, "ca", "", "`FILE` with the CA certificates to trust (default: the CA certificates of the system)")
	cmd.Flags().StringVar(&clientID, "client-id", "", "OAuth client")
	cmd.Flags().StringVar(&username, "username", "", "name of the user")
	return cmd
}

func certPool(file string) (*x509.CertPool, error) {
	if file == "" {
		return x509.SystemCertPool()
	}
	b, err := os.ReadFile(file) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s has no PEM certificate", file)
	}
	return pool, nil
}

// logIn sends a token request. Errors do not contain the request.
func logIn(ctx context.Context, pool *x509.CertPool, issuer string, form url.Values) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(issuer, "/")+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	if request.URL.Scheme != "https" {
		return "", cli.Usagef("--url must begin with https://")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	h := &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the issuer redirects: --url is not the URL of a Keywright issuer")
		},
	}
	response, err := h.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil || (answer.AccessToken == "" && answer.Error == "") {
		return "", fmt.Errorf("the issuer responded with %s and no token", response.Status)
	}
	if answer.AccessToken == "" {
		return "", cli.Negativef("the issuer refused: %s: %s", answer.Error, answer.Description)
	}
	return answer.AccessToken, nil
}

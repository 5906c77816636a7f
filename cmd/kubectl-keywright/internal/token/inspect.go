package token

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/untrusted"
)

// command is the environment of the commands of this package.
type command struct{ *cli.Env }

// InspectCommand returns the command inspect.
func InspectCommand(env *cli.Env) *cobra.Command {
	c := &command{env}
	return &cobra.Command{
		Use:   "inspect TOKEN|-",
		Short: "Print the header and the claims of a token, without verifying it",
		Long: `Print the header and the claims of a token as JSON, and the times in its claims on standard error. Nothing is verified, and anyone
can create a token that looks like this: to check it, use "kubectl keywright verify". The signature is not printed.

With - the token is read from standard input, which keeps it out of the shell history. Only the header of an encrypted token can be
read.`,
		Example: "  kubectl keywright inspect - < token.txt\n  kubectl keywright inspect - < token.txt | jq .claims.aud",
		Args:    cli.ExactArgs("TOKEN|-"),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := c.readToken(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.inspect(token)
		},
	}
}

// contents are the header and the claims of a token that is not verified.
type contents struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims,omitempty"`
}

// decode decodes a token. Errors do not contain it.
func decode(token string) (contents, error) {
	var t contents
	parts, err := untrusted.Split(token)
	if err != nil {
		return t, err
	}
	if err := untrusted.Decode(parts[0], &t.Header); err != nil || t.Header == nil {
		return t, errors.New("this is not a JWT: its header is not a JSON object in base64url")
	}
	if len(parts) != 3 {
		return t, nil
	}
	if err := untrusted.Decode(parts[1], &t.Claims); err != nil || t.Claims == nil {
		return t, errors.New("this is not a JWT: its claims are not a JSON object in base64url")
	}
	return t, nil
}

func (c *command) inspect(token string) error {
	t, err := decode(token)
	if err != nil {
		return err
	}
	text, err := untrusted.JSON(t)
	if err != nil {
		return err
	}
	cli.Printf(c.Out, "%s", text)
	for _, claim := range []string{"auth_time", "iat", "nbf", "exp"} {
		if at := numericDate(t.Claims[claim]); at != nil {
			cli.Printf(c.ErrOut, "%-9s  %s, %s\n", claim, at.UTC().Format(time.RFC3339), c.RelativeTime(at))
		}
	}
	if t.Claims == nil {
		cli.Printf(c.ErrOut, "The token is encrypted, and only its recipient can read its claims.\n")
	}
	cli.Printf(c.ErrOut, "Nothing was verified: anyone can create such a token.\n")
	return nil
}

// numericDate returns the time of a NumericDate (RFC 7519 section 2), nil if it is none up to the year 9999.
func numericDate(claim any) *metav1.Time {
	number, _ := claim.(json.Number)
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds >= 253402300800 {
		return nil
	}
	return &metav1.Time{Time: time.Unix(int64(seconds), 0)}
}

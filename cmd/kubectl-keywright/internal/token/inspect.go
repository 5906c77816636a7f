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
		Long: `Print the header and the claims of a token as JSON, and its times on standard error. Nothing is verified: anybody can write such a
token, and "kubectl keywright verify" says whether it is valid. The signature is not printed.

With - the token is read from standard input, which keeps it out of the shell's history. Of an encrypted token only the header can
be read.`,
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

// contents is what a token says. Nobody has verified it.
type contents struct {
	Header map[string]any `json:"header"`
	Claims map[string]any `json:"claims,omitempty"`
}

// readContents takes a token apart. No error repeats it.
func readContents(token string) (contents, error) {
	var t contents
	parts, err := untrusted.Split(token)
	if err != nil {
		return t, err
	}
	if err := untrusted.Decode(parts[0], &t.Header); err != nil || t.Header == nil {
		return t, errors.New("this is no JWT: its header is no JSON object in base64url")
	}
	if len(parts) != 3 {
		return t, nil
	}
	if err := untrusted.Decode(parts[1], &t.Claims); err != nil || t.Claims == nil {
		return t, errors.New("this is no JWT: its claims are no JSON object in base64url")
	}
	return t, nil
}

func (c *command) inspect(token string) error {
	t, err := readContents(token)
	if err != nil {
		return err
	}
	text, err := untrusted.JSON(t)
	if err != nil {
		return err
	}
	cli.Printf(c.Out, "%s", text)
	for _, claim := range []string{"auth_time", "iat", "nbf", "exp"} {
		if at := timeOf(t.Claims[claim]); at != nil {
			cli.Printf(c.ErrOut, "%-9s  %s, %s\n", claim, at.UTC().Format(time.RFC3339), c.RelativeTime(at))
		}
	}
	if t.Claims == nil {
		cli.Printf(c.ErrOut, "The token is encrypted, and only its receiver can read its claims.\n")
	}
	cli.Printf(c.ErrOut, "Nothing of this was verified: anybody can write such a token.\n")
	return nil
}

// timeOf reads a NumericDate (RFC 7519 section 2), nil if it is none up to the year 9999.
func timeOf(claim any) *metav1.Time {
	number, _ := claim.(json.Number)
	seconds, err := number.Float64()
	if err != nil || seconds < 0 || seconds >= 253402300800 {
		return nil
	}
	return &metav1.Time{Time: time.Unix(int64(seconds), 0)}
}

package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// ask asks the user a question, and returns the answer in lower case. Without an answer it returns an error.
func (c *command) ask(ctx context.Context, question string) (string, error) {
	cli.Printf(c.ErrOut, "%s ", question)
	answer, err := c.ReadAnswer(ctx)
	switch {
	case ctx.Err() != nil:
		cli.Printf(c.ErrOut, "\n")
		return "", errors.New("interrupted: nothing was revoked")
	case errors.Is(err, io.EOF):
		cli.Printf(c.ErrOut, "\n")
		return "", errors.New("no answer, nothing was revoked: use --yes to revoke without confirmation")
	case err != nil:
		return "", fmt.Errorf("cannot read the answer, nothing was revoked: %w", err)
	}
	return strings.ToLower(answer), nil
}

// Command kubectl-keywright is a kubectl plugin that shows SigningKeys, requests rotations, revokes keys and tokens, and verifies tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/doctor"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/fetch"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plan"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/revocation"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/rotate"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/status"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/token"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/users"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a command that ignores the first one
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	err := cli.NewRoot(streams, time.Now, commands()...).ExecuteContext(ctx)
	code := cli.ExitCode(ctx, err)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kubectl keywright:", message(err))
	}
	os.Exit(code)
}

// commands returns the commands of the plugin.
func commands() []func(*cli.Env) *cobra.Command {
	return []func(*cli.Env) *cobra.Command{
		status.Command, status.KeysCommand, rotate.Command, plan.Command, revocation.RevokeCommand, revocation.ListCommand, fetch.Command,
		token.LoginCommand, token.VerifyCommand, token.InspectCommand, users.Command, doctor.Command, versionCommand,
	}
}

// message returns the text of an error. "context canceled" would not tell a person that a signal ended the command.
func message(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

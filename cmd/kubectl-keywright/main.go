// Command kubectl-keywright is a kubectl plugin: it shows SigningKeys, asks for rotations, revokes keys and verifies tokens.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// The exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
	// exitInterrupted is what shells expect of a program that a signal ended: 128 + SIGINT.
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends what does not heed the first
	streams := genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr}
	cmd := newCommand(streams, time.Now)
	cmd.SetArgs(kidsLast(os.Args[1:]))
	err := cmd.ExecuteContext(ctx)
	interrupted := ctx.Err() != nil
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "kubectl keywright:", messageOf(err))
	var usage *usageError
	switch {
	case interrupted:
		os.Exit(exitInterrupted)
	case errors.As(err, &usage):
		os.Exit(exitUsage)
	default:
		os.Exit(exitFailed)
	}
}

// messageOf says what went wrong. "context canceled" means nothing to a person who pressed Ctrl-C.
func messageOf(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

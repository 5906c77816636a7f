package main

import (
	"context"
	"errors"
	"fmt"
)

// The exit codes, as those of grep and of kubectl diff: whoever asks a question can tell no from a failure to answer.
const (
	exitNo = 1
	// exitFailed is for what could not run: a wrong command line, no cluster, no right.
	exitFailed = 2
	// exitInterrupted is what shells expect of a program that a signal ended: 128 + SIGINT.
	exitInterrupted = 130
)

// negative is the answer no of a command that ran: a token that is not valid, a finding, a refusal.
type negative struct{ err error }

func (n *negative) Error() string { return n.err.Error() }
func (n *negative) Unwrap() error { return n.err }

func no(format string, args ...any) error { return &negative{fmt.Errorf(format, args...)} }

func exitCode(ctx context.Context, err error) int {
	var answer *negative
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.As(err, &answer):
		return exitNo
	default:
		return exitFailed
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
)

// The exit codes. As with grep and kubectl diff, a negative answer differs from a failure.
const (
	// ExitNegative is the exit code if the command ran and the answer is no.
	ExitNegative = 1
	// ExitFailed is the exit code if the command could not run: a wrong command line, no cluster, a missing permission.
	ExitFailed = 2
	// ExitInterrupted is the exit code after a signal, as shells expect it: 128 + SIGINT.
	ExitInterrupted = 130
)

// NegativeError is the negative answer of a command that ran: an invalid token, a finding, a refusal.
type NegativeError struct{ err error }

func (n *NegativeError) Error() string { return n.err.Error() }
func (n *NegativeError) Unwrap() error { return n.err }

// Negative returns a NegativeError that wraps an error.
func Negative(err error) error { return &NegativeError{err} }

// Negativef returns a NegativeError with a text.
func Negativef(format string, args ...any) error { return &NegativeError{fmt.Errorf(format, args...)} }

// UsageError is a mistake on the command line.
type UsageError struct{ err error }

func (u *UsageError) Error() string { return u.err.Error() }
func (u *UsageError) Unwrap() error { return u.err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// ExitCode returns the exit code for the error of a command that ran with a context.
func ExitCode(ctx context.Context, err error) int {
	var negative *NegativeError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return ExitInterrupted
	case errors.As(err, &negative):
		return ExitNegative
	default:
		return ExitFailed
	}
}

// Package commandline parses the command lines of the programs that run in pods. All have the same form of --help, and the same exit
// codes.
package commandline

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
)

// The exit codes of a program that fails.
const (
	ExitFailed = 1
	ExitUsage  = 2
)

// UsageError is an invalid command line.
type UsageError struct{ err error }

func (u *UsageError) Error() string { return u.err.Error() }
func (u *UsageError) Unwrap() error { return u.err }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Code returns the exit code for an error: 0 for nil and for --help, ExitUsage for a UsageError, and ExitFailed for any other.
func Code(err error) int {
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &usage):
		return ExitUsage
	default:
		return ExitFailed
	}
}

// Parse parses flags before, between and after the arguments, and returns the arguments. It returns a UsageError if there are fewer than
// least or more than most. After -- there are only arguments. For --help it prints the description and the flags, and returns flag.ErrHelp.
func Parse(flags *flag.FlagSet, about string, args []string, out io.Writer, least, most int) (arguments []string, err error) {
	flags.Init(filepath.Base(flags.Name()), flag.ContinueOnError)
	flags.Usage = func() {}
	flags.SetOutput(io.Discard)
	for len(args) > 0 {
		err := flags.Parse(args)
		rest := flags.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, help(flags, about, out)
		case err != nil:
			return nil, Usagef("%w: see %s --help", err, flags.Name())
		case len(rest) == 0:
		case len(rest) < len(args) && args[len(args)-len(rest)-1] == "--":
			arguments, rest = append(arguments, rest...), nil
		default:
			arguments, rest = append(arguments, rest[0]), rest[1:]
		}
		args = rest
	}
	if n := len(arguments); n < least || n > most {
		return nil, Usagef("%s takes %s, got %d: see %s --help", flags.Name(), countOf(least, most), n, flags.Name())
	}
	return arguments, nil
}

func help(flags *flag.FlagSet, about string, out io.Writer) error {
	if _, err := io.WriteString(out, about); err != nil {
		return err
	}
	some := false
	flags.VisitAll(func(*flag.Flag) { some = true })
	if some {
		if _, err := io.WriteString(out, "\nFlags:\n"); err != nil {
			return err
		}
	}
	flags.SetOutput(out)
	flags.PrintDefaults()
	return flag.ErrHelp
}

func countOf(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least != most:
		return fmt.Sprintf("%d to %d arguments", least, most)
	case most == 1:
		return "1 argument"
	default:
		return fmt.Sprintf("%d arguments", most)
	}
}

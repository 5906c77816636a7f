// Package commandline reads the command lines of the programs that run in pods. All answer --help in the same way, and end with the same
// exit codes.
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

// Mistake is a command line that cannot be meant.
type Mistake struct{ err error }

func (m *Mistake) Error() string { return m.err.Error() }
func (m *Mistake) Unwrap() error { return m.err }

// Mistakef returns a Mistake.
func Mistakef(format string, args ...any) error { return &Mistake{fmt.Errorf(format, args...)} }

// Code is the exit code for an error: 0 for none and for a call of --help, ExitUsage for a Mistake, and ExitFailed for any other.
func Code(err error) int {
	var mistake *Mistake
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &mistake):
		return ExitUsage
	default:
		return ExitFailed
	}
}

// Parse reads flags, before and behind the arguments, and returns the latter, of which there are between least and most. For --help it prints
// what the program is about and its flags, and returns flag.ErrHelp. Behind -- all are arguments.
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
			return nil, Mistakef("%w: see %s --help", err, flags.Name())
		case len(rest) == 0:
		case len(rest) < len(args) && args[len(args)-len(rest)-1] == "--":
			arguments, rest = append(arguments, rest...), nil
		default:
			arguments, rest = append(arguments, rest[0]), rest[1:]
		}
		args = rest
	}
	if n := len(arguments); n < least || n > most {
		return nil, Mistakef("%s takes %s, not %d: see %s --help", flags.Name(), number(least, most), n, flags.Name())
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

func number(least, most int) string {
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

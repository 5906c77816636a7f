package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"golang.org/x/term"
)

// MaxInput limits what is read from a file or from standard input, in bytes.
const MaxInput = 1 << 20

// result is what a read returned.
type result[T any] struct {
	value T
	err   error
}

// readWithContext returns the result of read, or the error of the context if that ends first. A read from a terminal cannot be cancelled:
// it continues until the process ends.
func readWithContext[T any](ctx context.Context, read func() (T, error)) (T, error) {
	return await(ctx, start(read))
}

func start[T any](read func() (T, error)) <-chan result[T] {
	done := make(chan result[T], 1)
	go func() {
		value, err := read()
		done <- result[T]{value, err}
	}()
	return done
}

func await[T any](ctx context.Context, done <-chan result[T]) (T, error) {
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}

// ReadLine reads a line of standard input, without spaces around it. It returns io.EOF if there is none, and ends with the context.
func (e *Env) ReadLine(ctx context.Context) (string, error) {
	if e.lines == nil {
		e.lines = bufio.NewReader(io.LimitReader(e.In, MaxInput))
	}
	return readWithContext(ctx, func() (string, error) {
		text, err := e.lines.ReadString('\n')
		if text != "" {
			err = nil
		}
		return strings.TrimSpace(text), err
	})
}

// ReadAnswer reads a line of standard input, or of the terminal if standard input was piped in and has ended.
func (e *Env) ReadAnswer(ctx context.Context) (string, error) {
	text, err := e.ReadLine(ctx)
	if _, process := e.In.(*os.File); !process || !errors.Is(err, io.EOF) {
		return text, err
	}
	terminal, opened := os.Open("/dev/tty")
	if opened != nil {
		return "", err
	}
	e.lines = bufio.NewReader(terminal) // closed by the end of the process: a read may still be blocked
	return e.ReadLine(ctx)
}

// ReadAll reads standard input up to a limit in bytes. It ends with the context.
func (e *Env) ReadAll(ctx context.Context, limit int64) ([]byte, error) {
	return readWithContext(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(e.In, limit)) })
}

// ReadFile reads a file, or standard input for -, up to MaxInput. It ends with the context.
func (e *Env) ReadFile(ctx context.Context, file string) ([]byte, error) {
	in := e.In
	if file != "-" {
		f, err := os.Open(file) //nolint:gosec // the user names the file
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	return readWithContext(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(in, MaxInput)) })
}

// ReadPassword prompts on the terminal without an echo, or reads what is piped in. The echo is on again when it returns.
func (e *Env) ReadPassword(ctx context.Context, prompt string) (string, error) {
	f, ok := e.In.(*os.File)
	if !ok || !e.IsTerminal() {
		b, err := e.ReadAll(ctx, 4096)
		return strings.TrimRight(string(b), "\r\n"), err
	}
	terminal := int(f.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	reading := start(func() ([]byte, error) { return term.ReadPassword(terminal) })
	awaitEchoOff(terminal, before)
	Printf(e.ErrOut, "%s", prompt)
	b, err := await(ctx, reading)
	Printf(e.ErrOut, "\n")
	if ctx.Err() != nil {
		return "", errors.Join(err, term.Restore(terminal, before))
	}
	return string(b), err
}

// IsTerminal reports whether standard input is a terminal.
func (e *Env) IsTerminal() bool {
	f, ok := e.In.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// awaitEchoOff waits until term.ReadPassword has changed the state of the terminal, at most a second. Otherwise a signal could restore the
// echo before it is turned off. The state does not change if there was no echo.
func awaitEchoOff(terminal int, before *term.State) {
	for range 1000 {
		if now, err := term.GetState(terminal); err != nil || !reflect.DeepEqual(before, now) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

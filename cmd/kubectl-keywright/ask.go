package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"golang.org/x/term"
)

// maxInput is how much is read from standard input, in bytes.
const maxInput = 1 << 20

// outcome is what a read came to.
type outcome[T any] struct {
	value T
	err   error
}

// within returns what read returns, or the error of the context if that ends first. A read from a terminal cannot be stopped, so it is
// left behind: the process ends next.
func within[T any](ctx context.Context, read func() (T, error)) (T, error) {
	return await(ctx, begin(read))
}

func begin[T any](read func() (T, error)) <-chan outcome[T] {
	done := make(chan outcome[T], 1)
	go func() {
		value, err := read()
		done <- outcome[T]{value, err}
	}()
	return done
}

func await[T any](ctx context.Context, done <-chan outcome[T]) (T, error) {
	select {
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	case r := <-done:
		return r.value, r.err
	}
}

// readLine reads a line of what the user types, without the spaces around it. It returns io.EOF if there is none, and ends with the
// context.
func (c *cli) readLine(ctx context.Context) (string, error) {
	if c.lines == nil {
		c.lines = bufio.NewReader(io.LimitReader(c.In, maxInput))
	}
	return within(ctx, func() (string, error) {
		text, err := c.lines.ReadString('\n')
		if text != "" {
			err = nil
		}
		return strings.TrimSpace(text), err
	})
}

// readAll reads all of standard input, up to a limit. It ends with the context.
func (c *cli) readAll(ctx context.Context, limit int64) ([]byte, error) {
	return within(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.In, limit)) })
}

// readPassword asks on the terminal without an echo, or reads a line of what is piped in. The echo is back when it returns.
func (c *cli) readPassword(ctx context.Context, prompt string) (string, error) {
	f, ok := c.In.(*os.File)
	if !ok || !c.isTerminal() {
		b, err := c.readAll(ctx, 4096)
		return strings.TrimRight(string(b), "\r\n"), err
	}
	terminal := int(f.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	reading := begin(func() ([]byte, error) { return term.ReadPassword(terminal) })
	awaitChange(terminal, before)
	say(c.ErrOut, "%s", prompt)
	b, err := await(ctx, reading)
	say(c.ErrOut, "\n")
	if ctx.Err() != nil {
		return "", errors.Join(err, term.Restore(terminal, before))
	}
	return string(b), err
}

// isTerminal reports whether standard input is a terminal.
func (c *cli) isTerminal() bool {
	f, ok := c.In.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// awaitChange waits until a terminal is in another state, which term.ReadPassword brings about: had the signal come before, the echo would
// be put back first and then taken away. Where the state does not change, there was no echo.
func awaitChange(terminal int, before *term.State) {
	for range 1000 {
		if now, err := term.GetState(terminal); err != nil || !reflect.DeepEqual(before, now) {
			return
		}
		<-time.After(time.Millisecond)
	}
}

// answer reads a line of what the user types: at the terminal, if standard input has ended because something was piped in.
func (c *cli) answer(ctx context.Context) (string, error) {
	text, err := c.readLine(ctx)
	if _, process := c.In.(*os.File); !process || !errors.Is(err, io.EOF) {
		return text, err
	}
	terminal, opened := os.Open("/dev/tty")
	if opened != nil {
		return "", err
	}
	c.lines = bufio.NewReader(terminal) // which the end of the process closes: a read may still hang on it
	return c.readLine(ctx)
}

// question asks the user something, and returns the answer in lower case. Without --yes and without an answer, nothing may be done.
func (c *cli) question(ctx context.Context, text string) (string, error) {
	say(c.ErrOut, "%s ", text)
	answer, err := c.answer(ctx)
	switch {
	case ctx.Err() != nil:
		say(c.ErrOut, "\n")
		return "", errors.New("interrupted: nothing was revoked")
	case errors.Is(err, io.EOF):
		say(c.ErrOut, "\n")
		return "", errors.New("nobody answered, so nothing was revoked: --yes does not ask")
	case err != nil:
		return "", fmt.Errorf("the answer cannot be read, so nothing was revoked: %w", err)
	}
	return strings.ToLower(answer), nil
}

package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
)

// parse reads the flags of a command, and returns its arguments, of which there are between least and most.
func parse(flags *flag.FlagSet, args []string, out io.Writer, least, most int) ([]string, error) {
	flags.SetOutput(out)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if n := flags.NArg(); n < least || n > most {
		want := fmt.Sprintf("%d arguments", most)
		switch {
		case least != most:
			want = fmt.Sprintf("%d to %d arguments", least, most)
		case most == 1:
			want = "1 argument"
		}
		return nil, fmt.Errorf("%s takes %s, not %d", flags.Name(), want, n)
	}
	return flags.Args(), nil
}

// flushWithin is how long a collector of traces may take when the issuer stops.
const flushWithin = 5 * time.Second

func serve(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("issuer serve", flag.ContinueOnError)
	path := flags.String("config", "/etc/keywright/issuer.yaml", "configuration `FILE`")
	if _, err := parse(flags, args, log, 0, 0); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	tracer, flush, err := tracing(ctx)
	if err != nil {
		return err
	}
	slots, memory := capacity()
	s, err := server.New(ctx, server.Options{
		ConfigFile: *path, Now: time.Now, HashSlots: slots, HashMemory: memory, Tracer: tracer,
		Log: slog.New(slog.NewJSONHandler(log, nil)), Audit: out,
	})
	if err != nil {
		return err
	}
	err = s.Run(ctx)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushWithin)
	defer cancel()
	if unsent := flush(last); unsent != nil {
		err = errors.Join(err, fmt.Errorf("the last spans are not sent within %s, tokens are not affected: %w", flushWithin, unsent))
	}
	return err
}

// hash makes an entry of users.yaml for a name, or, without one, the hash alone.
func hash(args []string, in io.Reader, out, log io.Writer) error {
	args, err := parse(flag.NewFlagSet("issuer hash", flag.ContinueOnError), args, log, 0, 1)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	password, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	password = strings.TrimRight(password, "\r\n")
	tooLong := login.TooLong("", password)
	_, password, usable := login.Prepare("x", password)
	if !usable || tooLong {
		return errors.New("hash reads a password of 1 to 1024 bytes, without control characters, from standard input")
	}
	if len(args) == 0 {
		_, err = fmt.Fprintln(out, login.HashPassword(password))
		return err
	}
	name, err := login.PrepareName(args[0])
	if err != nil || login.TooLong(name, "") {
		return errors.New("a name has 1 to 256 bytes, and is a user name as RFC 8265 section 3 has it")
	}
	_, err = fmt.Fprintf(out, "- name: %q\n  subject: %s\n  passwordHash: %q\n", name, strings.ToLower(rand.Text()), login.HashPassword(password))
	return err
}

func newSecret(out io.Writer) error {
	secret := rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(secret))
	_, err := fmt.Fprintf(out, "secret:       %s\nsecretSHA256: %s\n", secret, hex.EncodeToString(digest[:]))
	return err
}

func version(out io.Writer) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this binary does not know its version")
	}
	_, err := fmt.Fprintln(out, info.Main.Version, info.GoVersion)
	return err
}

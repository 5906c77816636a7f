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
	"strings"
	"time"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
)

// parse parses the flags of a command, and returns its arguments, between least and most.
func parse(flags *flag.FlagSet, args []string, out io.Writer, least, most int) ([]string, error) {
	return commandline.Parse(flags, about(flags.Name()), args, out, least, most)
}

// flushTimeout limits the upload of the last spans when the issuer stops.
const flushTimeout = 5 * time.Second

func serve(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("issuer serve", flag.ContinueOnError)
	path := flags.String("config", "/etc/keywright/issuer.yaml", "configuration `FILE`")
	if _, err := parse(flags, args, out, 0, 0); err != nil {
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
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if flushErr := flush(last); flushErr != nil {
		err = errors.Join(err, fmt.Errorf("cannot send the last trace spans within %s; tokens are not affected: %w", flushTimeout, flushErr))
	}
	return err
}

// hash prints an entry of users.yaml for a name, or only the hash without a name.
func hash(args []string, in io.Reader, out io.Writer) error {
	args, err := parse(flag.NewFlagSet("issuer hash", flag.ContinueOnError), args, out, 0, 1)
	if err != nil {
		return err
	}
	password, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	hash, err := login.HashNewPassword(strings.TrimRight(password, "\r\n"))
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	if len(args) == 0 {
		_, err = fmt.Fprintln(out, hash)
		return err
	}
	name, err := login.NewName(args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "- name: %q\n  subject: %s\n  passwordHash: %q\n", name, login.NewSubject(), hash)
	return err
}

// hashWorker hashes passwords in a process that serve starts.
func hashWorker(args []string, in io.Reader, out io.Writer) error {
	if _, err := parse(flag.NewFlagSet("issuer "+login.WorkerCommand, flag.ContinueOnError), args, out, 0, 0); err != nil {
		return err
	}
	return login.Work(in, out)
}

func newSecret(args []string, out io.Writer) error {
	if _, err := parse(flag.NewFlagSet("issuer new-secret", flag.ContinueOnError), args, out, 0, 0); err != nil {
		return err
	}
	secret := rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(secret))
	_, err := fmt.Fprintf(out, "secret:       %s\nsecretSHA256: %s\n", secret, hex.EncodeToString(digest[:]))
	return err
}

func version(args []string, out io.Writer) error {
	if _, err := parse(flag.NewFlagSet("issuer version", flag.ContinueOnError), args, out, 0, 0); err != nil {
		return err
	}
	return commandline.PrintVersion(out)
}

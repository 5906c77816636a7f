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

	"github.com/keywright/keywright/issuer/keys"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/server"
)

// configFlag reads the one flag of serve and check.
func configFlag(command string, args []string, out io.Writer) (string, error) {
	flags := flag.NewFlagSet("issuer "+command, flag.ContinueOnError)
	flags.SetOutput(out)
	path := flags.String("config", "/etc/keywright/issuer.yaml", "configuration `FILE`")
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("%s takes no arguments, only --config FILE", command)
	}
	return *path, nil
}

func serve(ctx context.Context, args []string, out io.Writer) error {
	path, err := configFlag("serve", args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	s, err := server.New(ctx, path, time.Now, slog.New(slog.NewJSONHandler(out, nil)))
	if err != nil {
		return err
	}
	return s.Run(ctx)
}

// check reads everything that serve would read, and says all that is wrong with it.
func check(args []string, out, log io.Writer) error {
	path, err := configFlag("check", args, log)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	settings, err := server.ReadConfig(path)
	if err != nil {
		return err
	}
	users, err1 := server.ReadUsers(settings.Users.File)
	certificate, err2 := server.ReadCertificate(settings.Server.TLS)
	key, err3 := keys.Load(settings.SigningKey.Directory)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	signs := "key " + key.KeyID
	if key.Draining() {
		signs = "no key: it drains"
	}
	_, err = fmt.Fprintf(out, "%s is right: issuer %s, %d clients, %d users, certificate until %s, SigningKey %s signs with %s\n",
		path, settings.Issuer, len(settings.Clients), users.Len(), certificate.Leaf.NotAfter.Format(time.RFC3339), key.SigningKey, signs)
	return err
}

func hashPassword(in io.Reader, out io.Writer) error {
	password, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	password = strings.TrimRight(password, "\r\n")
	if password == "" || login.TooLong("", password) {
		return errors.New("hash-password reads a password of 1 to 1024 bytes from standard input")
	}
	_, err = fmt.Fprintln(out, login.HashPassword(password))
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

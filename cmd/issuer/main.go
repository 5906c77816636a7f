// Command issuer authenticates clients and signs tokens.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/keywright/keywright/issuer/login"
)

const usage = `issuer authenticates clients and signs tokens with the key that Keywright mounts.

  issuer serve --config FILE    serve until SIGTERM
  issuer check-config FILE      say all that is wrong with a configuration and what it names
  issuer hash [NAME]            make an entry of users.yaml for the password on standard input, or its hash alone
  issuer new-secret             make a client secret, and the secretSHA256 of it
  issuer version                print the version
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out, log io.Writer) error {
	command := "help"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "serve":
		return serve(ctx, args, out, log)
	case "check-config":
		return checkConfig(ctx, args, out, log)
	case "hash":
		return hash(args, in, out, log)
	case "new-secret":
		return newSecret(out)
	case login.WorkerCommand: // serve starts it
		return login.Work(in, out)
	case "version", "--version":
		return version(out)
	case "help", "--help", "-h":
		_, err := io.WriteString(out, usage)
		return err
	}
	return fmt.Errorf("there is no command %q\n\n%s", command, usage)
}

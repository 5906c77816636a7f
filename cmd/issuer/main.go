// Command issuer authenticates clients and signs tokens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/keywright/keywright/cmd/commandline"
	"github.com/keywright/keywright/issuer/login"
	"github.com/keywright/keywright/issuer/strictyaml"
)

const usage = `issuer authenticates clients and signs tokens with the key that Keywright mounts.

  issuer serve --config FILE    serve until SIGTERM
  issuer check-config FILE      validate a configuration and the files that it names
  issuer check-service          check that an issuer serves its metadata, and the public keys that pods have
  issuer hash [NAME]            print an entry of users.yaml for the password on standard input, or only its hash
  issuer new-secret             generate a client secret and its secretSHA256
  issuer version                print the version

Each command prints more with --help. The exit code is 1 for a failure, and 2 for a wrong command line.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
	}
	os.Exit(commandline.Code(err))
}

func run(ctx context.Context, args []string, in io.Reader, out, log io.Writer) error {
	command := "help"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	err := runCommand(ctx, command, args, in, out, log)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}

func runCommand(ctx context.Context, command string, args []string, in io.Reader, out, log io.Writer) error {
	switch command {
	case "serve":
		return serve(ctx, args, out, log)
	case "check-config":
		return checkConfig(ctx, args, out)
	case "check-service":
		return checkService(ctx, args, out)
	case "hash":
		return hash(args, in, out)
	case "new-secret":
		return newSecret(args, out)
	case login.WorkerCommand:
		return hashWorker(args, in, out)
	case "version", "--version":
		return version(args, out)
	case "help", "--help", "-help", "-h":
		if len(args) == 1 && command == "help" {
			return runCommand(ctx, args[0], []string{"--help"}, in, out, log)
		}
		_, err := io.WriteString(out, usage)
		return err
	}
	suggestion := ""
	if nearest := strictyaml.Nearest(command, []string{"serve", "check-config", "check-service", "hash", "new-secret", "version", "help"}); nearest != "" {
		suggestion = "; did you mean " + nearest + "?"
	}
	return commandline.Usagef("there is no command %q%s\n\n%s", command, suggestion, usage)
}

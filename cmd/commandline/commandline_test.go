package commandline_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/cmd/commandline"
)

// Each program prints a description, an example and the flags for --help, and exits with 0. A wrong command line exits with 2, and a failure
// with 1. The plugin exits with 1 if the answer is no, and with 2 if there is none.
func TestExitCodes(t *testing.T) {
	directory := t.TempDir()
	out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X github.com/keywright/keywright/cmd/commandline.version=v1.2.3", "-o", directory, "../issuer", "../controller", "../fetcher", "../kubectl-keywright").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	broken := filepath.Join(directory, "issuer.yaml")
	if err := os.WriteFile(broken, []byte("kind: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, refused := filepath.Join(directory, "keys.json"), filepath.Join(directory, "signingkey.yaml")
	for path, text := range map[string]string{
		keys: `{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","kid":"a","use":"sig","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`,
		refused: "{apiVersion: keywright.dev/v1alpha1, kind: SigningKey, metadata: {name: a}, spec: {algorithm: HS256, " +
			"distribution: {namespaceSelector: {matchLabels: {}}}}}",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KUBECONFIG", filepath.Join(directory, "nothing"))
	const failed, wrong = commandline.ExitFailed, commandline.ExitUsage
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"issuer", 0, "issuer hash [NAME]"},
		{"issuer --help", 0, "issuer hash [NAME]"},
		{"issuer serve --help", 0, "-config"},
		{"issuer serve -h", 0, "  issuer serve --config"},
		{"issuer check-config --help", 0, "-without-files"},
		{"issuer check-config issuer.yaml --help", 0, "-without-files"},
		{"issuer hash --help", 0, "  issuer hash alice <"},
		{"issuer hash -h", 0, "  issuer hash alice <"},
		{"issuer help hash", 0, "  issuer hash alice <"},
		{"issuer new-secret --help", 0, "  issuer new-secret\n"},
		{"issuer hash-worker --help", 0, "do not run it"},
		{"issuer version --help", 0, "Prints the version"},
		{"issuer version", 0, "v1.2.3 go1."},
		{"issuer --version", 0, "v1.2.3 go1."},
		{"controller version", 0, "v1.2.3 go1."},
		{"controller --version", 0, "v1.2.3 go1."},
		{"controller -version --leader-elect", wrong, "flag provided but not defined: -version"},
		{"fetcher version", 0, "v1.2.3 go1."},
		{"kubectl-keywright version --client", 0, "kubectl keywright  v1.2.3"},
		{"issuer serv", wrong, `there is no command "serv"; did you mean serve?`},
		{"issuer help serv", wrong, `there is no command "serv"`},
		{"issuer serve issuer.yaml", wrong, "issuer serve takes no arguments, got 1"},
		{"issuer serve --port 1", wrong, "flag provided but not defined: -port: see issuer serve --help"},
		{"issuer check-config", wrong, "takes 1 argument, got 0"},
		{"issuer check-config --without-files=maybe x", wrong, "invalid boolean value"},
		{"issuer check-config --connect --without-files x", wrong, "--connect cannot be combined with --without-files"},
		{"issuer hash alice bob", wrong, "takes 0 to 1 arguments, got 2"},
		{"issuer hash -- alice bob", wrong, "takes 0 to 1 arguments, got 2"},
		{"issuer hash --password hunter2", wrong, "flag provided but not defined"},
		{"issuer new-secret please", wrong, "takes no arguments"},
		{"issuer version 1", wrong, "takes no arguments"},
		{"issuer hash-worker 1", wrong, "takes no arguments"},
		{"issuer hash", failed, "the password must have 1 to 1024 bytes"},
		{"issuer check-config " + broken, failed, "kind: must be IssuerConfiguration"},
		{"issuer serve --config " + broken, failed, "kind: must be IssuerConfiguration"},
		{"controller --help", 0, "-key-namespace"},
		{"controller -h", 0, "  controller --release"},
		{"controller now", wrong, "controller takes no arguments, got 1"},
		{"controller --relase", wrong, "flag provided but not defined: -relase"},
		{"controller --kubeconfig /nowhere", failed, "/nowhere"},
		{"fetcher --help", 0, "-key-namespace"},
		{"fetcher now", wrong, "fetcher takes no arguments, got 1"},
		{"fetcher --leader-elect=maybe", wrong, "invalid boolean value"},
		{"fetcher --kubeconfig /nowhere", failed, "/nowhere"},
		{"kubectl-keywright", 0, "Available Commands"},
		{"kubectl-keywright --help", 0, "Available Commands"},
		{"kubectl-keywright users", 0, "set-password"},
		{"kubectl-keywright help users add", 0, "kubectl keywright users add alice --claim"},
		{"kubectl-keywright help nothing", wrong, `there is no command "nothing"`},
		{"kubectl-keywright statu", wrong, `has no command "statu"; did you mean status?`},
		{"kubectl-keywright users lst", wrong, `has no command "lst"; did you mean list?`},
		{"kubectl-keywright status a b", wrong, "at most 1 arg"},
		{"kubectl-keywright revocations a b", wrong, "at most 1 arg"},
		{"kubectl-keywright completion bash x", wrong, "unknown command"},
		{"kubectl-keywright completion fsh", wrong, "did you mean bash"},
		{"kubectl-keywright --bogus", wrong, "unknown flag"},
		{"kubectl-keywright users add", wrong, "takes NAME: see --help"},
		{"kubectl-keywright users add alice hunter2", wrong, "takes NAME: see --help"},
		{"kubectl-keywright users list -f users.yaml -n x", wrong, "-f is a file and cannot be combined with --secret and -n"},
		{"kubectl-keywright status --kubeconfig /nowhere", wrong, "cannot determine the cluster"},
		{"kubectl-keywright doctor --kubeconfig /nowhere", wrong, "cannot determine the cluster"},
		{"kubectl-keywright doctor", wrong, "no kubeconfig was found at " + directory + "/nothing: name one with --kubeconfig FILE or in KUBECONFIG"},
		{"kubectl-keywright doctor --server http://127.0.0.1:1", wrong, "refused"},
		{"kubectl-keywright verify a.b.c --jwks " + keys + " --issuer i --audience a", failed, "malformed token"},
		{"kubectl-keywright verify a.b.c --jwks /nowhere --issuer i --audience a", wrong, "/nowhere"},
		{"kubectl-keywright plan -f " + refused, failed, "spec.algorithm should be one of"},
		{"kubectl-keywright plan -f /nowhere", wrong, "/nowhere"},
		{"kubectl-keywright users list -f /nowhere", wrong, "there is no file /nowhere"},
	} {
		args := strings.Fields(c.args)
		cmd := exec.CommandContext(t.Context(), filepath.Join(directory, args[0]), args[1:]...)
		cmd.Dir = directory
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		said, silent := &stdout, &stderr
		if c.code != 0 {
			said, silent = &stderr, &stdout
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(said.String(), c.says) || silent.Len() > 0 || strings.Contains(said.String(), "hunter2") {
			t.Errorf("%s: exit code %d, want %d and %q\nstdout: %s\nstderr: %s", c.args, code, c.code, c.says, &stdout, &stderr)
		}
		if strings.Contains(c.args, "-h") && (strings.Contains(stdout.String(), "passwordHash: ") || strings.Contains(stdout.String(), "secret:  ")) {
			t.Errorf("%s runs the command:\n%s", c.args, &stdout)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args      string
		arguments []string
		set       bool
		code      int
	}{
		{"", nil, false, 0},
		{"a", []string{"a"}, false, 0},
		{"-x a b", []string{"a", "b"}, true, 0},
		{"a -x b", []string{"a", "b"}, true, 0},
		{"a b -x", []string{"a", "b"}, true, 0},
		{"-- -x", []string{"-x"}, false, 0},
		{"-- -x -x", []string{"-x", "-x"}, false, 0},
		{"a -- -x", []string{"a", "-x"}, false, 0},
		{"a b c", nil, false, commandline.ExitUsage},
		{"-y", nil, false, commandline.ExitUsage},
		{"a -y", nil, false, commandline.ExitUsage},
	} {
		flags := flag.NewFlagSet("program", flag.ExitOnError)
		set := flags.Bool("x", false, "")
		arguments, err := commandline.Parse(flags, "about", strings.Fields(c.args), io.Discard, 0, 2)
		if commandline.Code(err) != c.code || err == nil && (!slices.Equal(arguments, c.arguments) || *set != c.set) {
			t.Errorf("%q: %q %t %v", c.args, arguments, *set, err)
		}
	}
	if _, err := commandline.Parse(flag.NewFlagSet("program", flag.ExitOnError), "about", []string{"a", "-h"}, io.Discard, 0, 2); !errors.Is(err, flag.ErrHelp) || commandline.Code(err) != 0 {
		t.Errorf("help: %v", err)
	}
	if commandline.Code(io.EOF) != commandline.ExitFailed {
		t.Error("a failure is not a usage error")
	}
}

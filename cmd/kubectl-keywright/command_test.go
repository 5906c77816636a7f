package main

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestMistakes(t *testing.T) {
	plugintest.StartCluster(t)
	nobody, err := plugintest.KubeconfigFor("nobody", "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args       string
		kubeconfig string
		usage      bool
		says       string
	}{
		{"status --outputt json", plugintest.Kubeconfig(), true, "unknown flag"},
		{"status -o xml", plugintest.Kubeconfig(), true, "--output must be json or yaml"},
		{"rotate", plugintest.Kubeconfig(), true, "takes NAME: see --help"},
		{"revoke", plugintest.Kubeconfig(), true, "takes the name of a SigningKey and what to revoke"},
		{"verify x", plugintest.Kubeconfig(), true, "verify needs --issuer"},
		{"token", plugintest.Kubeconfig(), true, "token needs --url"},
		{"plan", plugintest.Kubeconfig(), true, "plan needs -f"},
		{"status missing", plugintest.Kubeconfig(), false, `there is no SigningKey "missing"`},
		{"rotate missing", plugintest.Kubeconfig(), false, `there is no SigningKey "missing"`},
		{"status", nobody, false, "forbidden"},
		{"status", "/nowhere", false, "cannot determine the cluster"},
		{"plan -f /nowhere", plugintest.Kubeconfig(), false, "no such file"},
	} {
		_, _, err := plugintest.RunAs(t, c.kubeconfig, "", strings.Fields(c.args)...)
		var usage *cli.UsageError
		if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &usage) != c.usage || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: want %q, got %v", c.args, c.says, err)
		}
	}
}

func TestCompletion(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "complete")
	keys := key.Status.Keys[0].KeyID + "\tActive\n" + key.Status.Keys[1].KeyID + "\tStandby\n"
	for args, offers := range map[string]string{
		"rotate ": "complete\n", "revoke ": "complete\n", "revocations ": "complete\n", "revoke complete ": keys, "revoke complete --key ": keys,
	} {
		var out bytes.Buffer
		cmd := plugintest.NewCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}, time.Now)
		cmd.SetArgs(append([]string{"__complete", "--kubeconfig", plugintest.Kubeconfig()}, strings.Split(args, " ")...))
		if err := cmd.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), offers) {
			t.Errorf("%s: %v %s", args, err, &out)
		}
	}
	if out, _, err := plugintest.Run(t, "", "completion", "bash"); err != nil || len(out) < 1000 {
		t.Errorf("%v %d bytes", err, len(out))
	}
}

func TestOptions(t *testing.T) {
	out, _, err := plugintest.RunOffline(t, "", "options")
	if err != nil || !strings.Contains(out, "--certificate-authority") || !strings.Contains(out, "--key-namespace") {
		t.Errorf("%v\n%s", err, out)
	}
	for _, args := range [][]string{{"users", "add", "--help"}, {"--help"}} {
		out, _, err := plugintest.RunOffline(t, "", args...)
		if err != nil || strings.Contains(out, "--certificate-authority") || !strings.Contains(out, "options") {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
		if args[0] == "users" && !strings.Contains(out, "--secret") {
			t.Errorf("a flag of users alone is missing:\n%s", out)
		}
	}
}

// --help of each command describes the command with an example, without a cluster.
func TestHelp(t *testing.T) {
	explained := 0
	var explain func(cmd *cobra.Command, path []string)
	explain = func(cmd *cobra.Command, path []string) {
		for _, child := range cmd.Commands() {
			if child.Name() != "help" && child.Parent().Name() != "completion" {
				explain(child, append(slices.Clone(path), child.Name()))
			}
		}
		if len(path) == 0 {
			return
		}
		out, _, err := plugintest.RunAs(t, "/nowhere", "", append(path, "--help")...)
		if err != nil || cmd.Long == "" || !strings.HasPrefix(out, cmd.Long) || !strings.Contains(out, "Examples:\n") || !strings.Contains(cmd.Example, "kubectl keywright ") ||
			strings.Contains(out, "--certificate-authority") || !strings.Contains(out, `Use "kubectl keywright options" for a list`) {
			t.Errorf("%v: %v\n%s", path, err, out)
		}
		explained++
	}
	explain(plugintest.NewCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}, time.Now), nil)
	if explained < 17 {
		t.Errorf("%d commands", explained)
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// binary is one command to build.
type binary struct {
	name, pkg, ldflags string
}

const (
	stripped  = "-s -w"
	versioned = stripped +
		" -X k8s.io/component-base/version.gitVersion=v" + version +
		" -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37" +
		" -X k8s.io/client-go/pkg/version.gitVersion=v" + version
)

// build compiles the binaries from the module in source, and moves them to target when all are there.
func build(ctx context.Context, source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(target), "unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	began := time.Now()
	say("building etcd, kube-apiserver and kubectl v%s from source, once: about 6 minutes on two cores", version)
	for _, b := range []binary{
		{"etcd", "go.etcd.io/etcd/server/v3", stripped},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", versioned},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl", versioned},
	} {
		if err := b.build(ctx, source, unfinished); err != nil {
			return fmt.Errorf("build %s: %w", b.name, err)
		}
	}
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	if err := os.Rename(unfinished, target); err != nil {
		return err
	}
	say("all built in %s, kept in %s", seconds(began), target)
	return os.Chmod(target, 0o755)
}

// build compiles one binary and says how far it is: go build -v names each package that it compiles.
func (b binary) build(ctx context.Context, source, target string) error {
	began := time.Now()
	say("%s: fetching modules", b.name)
	listing := goCommand(ctx, source, "list", "-deps", b.pkg)
	var complaints bytes.Buffer
	listing.Stderr = &complaints
	listed, err := listing.Output()
	if err != nil {
		return errors.Join(err, errors.New(tail(complaints.String())))
	}
	all := bytes.Count(listed, []byte("\n"))
	cmd := goCommand(ctx, source, "build", "-v", "-trimpath", "-ldflags", b.ldflags, "-o", filepath.Join(target, b.name), b.pkg)
	output, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var lines []string
	said := time.Now()
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			say("%s: compiled %d of at most %d packages in %s", b.name, len(lines), all, seconds(began))
		}
	}
	if err := cmd.Wait(); err != nil {
		return errors.Join(err, errors.New(tail(strings.Join(lines, "\n"))))
	}
	say("%s: done in %s", b.name, seconds(began))
	return nil
}

// goCommand runs go in a module, whatever the environment of the caller says about workspaces, flags and cgo.
func goCommand(ctx context.Context, directory string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = directory
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	return cmd
}

// tail returns the last lines of an output.
func tail(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

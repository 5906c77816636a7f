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

// build compiles a set from the modules in source, and moves it to target when all are there.
func (s set) build(ctx context.Context, source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(target), "unfinished-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(unfinished) }()
	began := time.Now()
	say("building %s, Kubernetes v%s, from source, once: about %d minutes on two cores", s.name, version, s.minutes)
	for _, b := range s.binaries {
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
	listing := b.command(ctx, source, "list", "-deps", "-tags", b.tags, b.pkg)
	var complaints bytes.Buffer
	listing.Stderr = &complaints
	listed, err := listing.Output()
	if err != nil {
		return errors.Join(err, errors.New(tail(complaints.String())))
	}
	all := bytes.Count(listed, []byte("\n"))
	cmd := b.command(ctx, source, "build", "-v", "-trimpath", "-tags", b.tags, "-ldflags", b.ldflags, "-o", filepath.Join(target, b.name), b.pkg)
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

// command runs go in the module of a binary, whatever the environment of the caller says about workspaces, flags and cgo.
func (b binary) command(ctx context.Context, source string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = filepath.Join(source, b.module)
	cgo := "0"
	if b.cgo {
		cgo = "1"
	}
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED="+cgo)
	return cmd
}

// tail returns the last lines of an output.
func tail(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const connections = 16

// bench has the files and binaries of a run.
type bench struct {
	directory string
	self      string
	issuer    string
	// subject is a token that is exchanged.
	subject *subject
	// goals are those of what was measured.
	goals []goal
}

func newBench(ctx context.Context) (*bench, error) {
	directory, err := os.MkdirTemp("", "issuerbench")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	b := &bench{directory: directory, self: self, issuer: filepath.Join(directory, "issuer")}
	build := exec.CommandContext(ctx, "go", "-C", "../..", "build", "-trimpath", "-ldflags=-s -w", "-o", b.issuer, "./cmd/issuer")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, failed := build.CombinedOutput(); failed != nil {
		err = errors.Join(err, fmt.Errorf("build the issuer: %w\n%s", failed, out))
	}
	subject, failed := newSubject(directory)
	b.subject = subject
	return b, errors.Join(err, failed, writeCertificate(directory), writeKey(directory))
}

func (b *bench) close() { _ = os.RemoveAll(b.directory) }

// start starts "static", "raw", "exchange" or "issuer".
func (b *bench) start(ctx context.Context, kind string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(b.directory, kind+".log")
	if kind != "issuer" {
		return start(ctx, log, address, b.self, "floor", kind, address, b.directory)
	}
	if _, err := os.Stat(filepath.Join(b.directory, "users.yaml")); err != nil {
		if err := b.users("  []\n"); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(b.directory, "issuer.yaml"))
	if err != nil {
		return nil, err
	}
	metrics, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text = bytes.ReplaceAll(text, []byte("ADDRESS"), []byte(address))
	text = bytes.ReplaceAll(text, []byte("METRICS"), []byte(metrics))
	config := filepath.Join(b.directory, "running.yaml")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return nil, err
	}
	p, err := start(ctx, log, address, b.issuer, "serve", "--config", config)
	if err == nil {
		p.metrics = metrics
	}
	return p, err
}

func (b *bench) users(list string) error {
	return writeFiles(b.directory, list)
}

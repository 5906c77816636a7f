package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// target is one image, and one stage of the Dockerfile.
type target struct {
	// name of the image, program its only file, and what both are for.
	name, program, description string
}

func targets() []target {
	return []target{
		{"keywright-controller", "controller", "Rotates signing keys, and keeps their public halves in every consuming namespace"},
		{"keywright-issuer", "issuer", "Authenticates clients, and signs access tokens"},
		{"keywright-fetcher", "fetcher", "Fetches the public keys of trusted issuers"},
		{"kubectl-keywright", "kubectl-keywright", "Inspect and manage the signing keys that a cluster trusts"},
	}
}

// compile builds a program as the Dockerfile does: static, without paths of this machine or the state of its checkout, from which it would
// know its version.
func (o options) compile(ctx context.Context, t target, arch string) (string, error) {
	out, err := filepath.Abs(filepath.Join(o.out, arch, t.program))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X github.com/keywright/keywright/cmd/commandline.version="+o.version, "-o", out, "./cmd/"+t.program)
	cmd.Dir, cmd.Stderr = o.source, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("compile %s for %s: %w", t.program, arch, err)
	}
	return out, nil
}

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/keywright/keywright/hack/images/archive"
)

// packPause builds the image whose process is the first of every pod.
func packPause(ctx context.Context, directory string) (string, error) {
	program := filepath.Join(directory, "pause")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", err
	}
	image := archive.Image{
		Name: "pause", Version: "1", Entrypoint: []string{"/pause"},
		Files: map[string][]archive.File{runtime.GOARCH: {{Path: "pause", From: program, Mode: 0o755}}},
	}
	path := filepath.Join(directory, "pause.tar")
	_, err := image.Write(path)
	return path, err
}

package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// index is where setup-envtest looks first. Where it is out of reach, so is everything else.
const index = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"

// download lets setup-envtest fetch the binaries, unless there is no way out: that shows within seconds.
func download(ctx context.Context, root string) (string, bool) {
	if !reachable(ctx) {
		say("the envtest releases cannot be reached: building instead")
		return "", false
	}
	say("downloading Kubernetes v%s with setup-envtest", version)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "tool", "setup-envtest", "use", version, "--bin-dir", filepath.Join(root, "bin", "envtest"), "-p", "path")
	cmd.Dir, cmd.Stderr = filepath.Join(root, "hack", "tools"), os.Stderr
	out, err := cmd.Output()
	directory := strings.TrimSpace(string(out))
	if err != nil || controlPlane().missing(directory) != "" {
		say("setup-envtest has no v%s: building instead", version)
		return "", false
	}
	return directory, true
}

func reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, index, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

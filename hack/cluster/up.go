package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// inside is the verb that the cluster's own first process runs.
const inside = "inside"

// patience is how long a cluster may take to be ready, on the slowest of machines.
const patience = 3 * time.Minute

// up starts a cluster and returns when pods can run, having printed the kubeconfig's name.
func (c *cluster) up(ctx context.Context) error {
	if err := check(); err != nil {
		return err
	}
	if _, err := os.Stat(c.path("pid")); err == nil {
		return fmt.Errorf("a cluster is in %s already: `cluster down` removes it", c.state)
	}
	began := time.Now()
	if err := c.prepare(ctx); err != nil {
		return err
	}
	process, err := c.unshare()
	if err != nil {
		return err
	}
	if err := c.await(ctx, process, began); err != nil {
		return errors.Join(err, c.logs(), c.down())
	}
	say("ready in %.1f s", time.Since(began).Seconds())
	fmt.Println(c.path("kubeconfig", "admin"))
	return nil
}

// prepare writes everything that the components read.
func (c *cluster) prepare(ctx context.Context) error {
	if c.controlPlane == "" || c.node == "" {
		return errors.New("name the binaries, with -controlplane and -node")
	}
	for _, d := range []string{"kubeconfig", "pki", "logs", "hold", "running", "cni", "images", "log", "lib"} {
		if err := os.MkdirAll(c.path(d), 0o755); err != nil {
			return err
		}
	}
	for _, d := range []*string{&c.controlPlane, &c.node} {
		absolute, err := filepath.Abs(*d)
		if err != nil {
			return err
		}
		*d = absolute
	}
	pause, err := packPause(ctx, c.path("images"))
	if err != nil {
		return fmt.Errorf("pack pause: %w", err)
	}
	c.images = append(c.images, pause)
	return errors.Join(c.certify(), c.configure(), c.saveSysctls())
}

// await returns when images are there, the node is ready, pods are admitted and names resolve.
func (c *cluster) await(ctx context.Context, process *os.Process, began time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	kubectl := command(filepath.Join(c.controlPlane, "kubectl"), "--kubeconfig", c.path("kubeconfig", "admin"))
	ctr := command(filepath.Join(c.node, "ctr"), "--address", c.path("containerd.sock"), "--namespace", "k8s.io")
	steps := []step{
		{"containerd answers", ctr("version")},
		{"the API server answers", kubectl("get", "--raw", "/readyz")},
		{"the node is ready", kubectl("wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=5s")},
		// A pod that is created before its ServiceAccount is refused.
		{"pods are admitted", kubectl("get", "serviceaccount", "default")},
		{"names resolve", resolve},
	}
	for _, image := range c.images {
		steps = append(steps, step{filepath.Base(image) + " is imported", ctr("images", "import", image)})
	}
	for _, s := range steps {
		if err := s.until(ctx, process); err != nil {
			return err
		}
		say("%4.1f s: %s", time.Since(began).Seconds(), s.name)
	}
	return nil
}

// step is something to wait for, and how to ask for it.
type step struct {
	name string
	ask  func(context.Context) error
}

// until asks until the answer is yes.
func (s step) until(ctx context.Context, process *os.Process) error {
	for {
		err := s.ask(ctx)
		if err == nil {
			return nil
		}
		if gone := process.Signal(signalNone); gone != nil {
			return fmt.Errorf("wait until %s: the cluster ended: %w", s.name, gone)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", s.name, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// command asks by running a program: yes is exit code 0.
func command(program string, always ...string) func(args ...string) func(context.Context) error {
	return func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			out, err := exec.CommandContext(ctx, program, append(slices.Clone(always), args...)...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
			}
			return nil
		}
	}
}

// resolve asks the cluster's name server for a Service that every cluster has.
func resolve(ctx context.Context) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(nodeIP, "53"))
	}}
	_, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	return err
}

// logs shows the end of what each component said.
func (c *cluster) logs() error {
	files, err := filepath.Glob(c.path("logs", "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		say("%s:\n%s", filepath.Base(file), strings.Join(lines[max(0, len(lines)-8):], "\n"))
	}
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...)
}

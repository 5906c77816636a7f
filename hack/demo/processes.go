package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is a program that can be killed and started again.
type process struct {
	name string
	args []string
	log  string

	mu  sync.Mutex
	cmd *exec.Cmd
}

// start runs the program. It dies with the demo, however that ends.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = f, f
	p.cmd.SysProcAttr = dieWithParent()
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

// kill ends the program at once, as a node that fails does.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// stop asks the program to end, and kills it if it does not.
func (p *process) stop() {
	timer := time.AfterFunc(5*time.Second, func() { p.signal(syscall.SIGKILL) })
	defer timer.Stop()
	p.end(syscall.SIGTERM)
}

func (p *process) signal(s os.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(s)
	}
}

func (p *process) end(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	p.signal(s)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// tail returns the end of the program's log.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// build compiles the controller, the issuer and the example service.
func build(ctx context.Context, root, into string) error {
	for directory, packages := range map[string][]string{
		root:                                {"./cmd/controller", "./cmd/issuer", "./cmd/kubectl-keywright"},
		filepath.Join(root, "hack", "demo"): {"./service"},
	} {
		cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", into + string(filepath.Separator)}, packages...)...)
		cmd.Dir = directory
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.Join(fmt.Errorf("build %v: %w", packages, err), errors.New(string(out)))
		}
	}
	return nil
}

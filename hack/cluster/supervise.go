package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// supervisor keeps all components running, but for those that are held. As the first process of the cluster it also reaps what others
// leave behind; so nothing else here may wait for a process.
type supervisor struct {
	*cluster
	mu      sync.Mutex
	running map[string]int
}

// supervise runs until the process is killed.
func (c *cluster) supervise() error {
	s := &supervisor{cluster: c, running: map[string]int{}}
	// containerd finds runc and the shim by it.
	if err := os.Setenv("PATH", c.node+":"+os.Getenv("PATH")); err != nil {
		return err
	}
	go s.reap()
	for ; ; time.Sleep(50 * time.Millisecond) {
		for _, component := range c.components() {
			if err := s.see(component); err != nil {
				return fmt.Errorf("start %s: %w", component.name, err)
			}
		}
	}
}

// see starts a component that should run, and kills one that should not.
func (s *supervisor) see(c component) error {
	_, err := os.Stat(s.path("hold", c.name))
	held := err == nil
	s.mu.Lock()
	defer s.mu.Unlock()
	pid, runs := s.running[c.name]
	switch {
	case held && runs:
		if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) { // reap may be about to say that it is gone
			return err
		}
	case !held && !runs:
		return s.start(c)
	}
	return nil
}

func (s *supervisor) start(c component) error {
	log, err := os.OpenFile(s.path("logs", c.name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(c.command[0], c.command[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	s.running[c.name] = cmd.Process.Pid
	return os.WriteFile(s.path("running", c.name), nil, 0o600)
}

// reap waits for whatever ends. A component that did is started again.
func (s *supervisor) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.ECHILD) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		s.mu.Lock()
		for name, of := range s.running {
			if of == pid {
				delete(s.running, name)
				_ = os.Remove(s.path("running", name))
				fmt.Fprintf(os.Stderr, "%s: %s ended, status %#x\n", time.Now().Format(time.TimeOnly), name, status)
			}
		}
		s.mu.Unlock()
	}
}

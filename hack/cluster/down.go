package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// down kills the first process of the cluster: with it the kernel kills all others, and its mounts and network vanish. What no
// namespace holds, cgroups and sysctls, is put back.
func (c *cluster) down() error {
	if pid, ok := c.pid(); ok && c.owns(pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		for c.owns(pid) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	err := errors.Join(unplug(), c.restoreSysctls(), removeCgroups(), os.RemoveAll(c.state))
	if err != nil {
		return fmt.Errorf("clean up: %w", err)
	}
	return nil
}

// pid is the number of the cluster's first process, if one was started.
func (c *cluster) pid() (int, bool) {
	b, err := os.ReadFile(c.path("pid"))
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	return pid, err == nil
}

// alive reports whether the cluster runs.
func (c *cluster) alive() bool {
	pid, ok := c.pid()
	return ok && c.owns(pid)
}

// owns reports whether a process is the cluster's, and not one that got its number later.
func (c *cluster) owns(pid int) bool {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && strings.Contains(string(command), c.state) && strings.Contains(string(command), inside)
}

// removeCgroups removes those of the pods, in every hierarchy that this machine has.
func removeCgroups() error {
	var found []string
	for _, pattern := range []string{"/sys/fs/cgroup/kubepods", "/sys/fs/cgroup/*/kubepods", "/sys/fs/cgroup/k8s.io", "/sys/fs/cgroup/*/k8s.io"} {
		roots, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, root := range roots {
			// Parents come first, and must go last.
			_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					found = append([]string{path}, found...)
				}
				return nil
			})
		}
	}
	var problems []error
	for _, path := range found {
		problems = append(problems, removeCgroup(path))
	}
	return errors.Join(problems...)
}

// removeCgroup waits for the last process in it to be gone.
func removeCgroup(path string) error {
	for range 100 {
		err := syscall.Rmdir(path)
		if !errors.Is(err, syscall.EBUSY) {
			if errors.Is(err, syscall.ENOENT) {
				return nil
			}
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s is still in use", path)
}

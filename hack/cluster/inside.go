package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
)

// signalNone only asks whether a process is there.
const signalNone = syscall.Signal(0)

const namespaces = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC

// unshareable tells why no process can have namespaces of its own.
func unshareable() error {
	cmd := exec.Command("/proc/self/exe", "-h")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	return cmd.Run()
}

// unshare starts the cluster's first process, in namespaces of its own, and lays the wire to it.
func (c *cluster) unshare() (*os.Process, error) {
	log, err := os.Create(c.path("logs", inside))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("/proc/self/exe", "-state", c.state, "-controlplane", c.controlPlane, "-node", c.node, inside)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.path("pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return nil, err
	}
	return cmd.Process, plug(cmd.Process.Pid)
}

// inside is the life of the cluster's first process.
func (c *cluster) inside() error {
	if err := errors.Join(c.mounts(), syscall.Sethostname([]byte(nodeName)), address()); err != nil {
		return err
	}
	return c.supervise()
}

// mounts gives the cluster a /proc of its processes, and directories of its own where kubelet, containerd and CNI have fixed paths.
func (c *cluster) mounts() error {
	private := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, "")
	proc := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "")
	// Mounts that a kubelet makes must reach the containers that it starts.
	shared := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_SHARED, "")
	if err := errors.Join(private, proc, shared, syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755")); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	for _, name := range []string{"log", "lib"} {
		if err := syscall.Mount(c.path(name), "/var/"+name, "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("mount /var/%s: %w", name, err)
		}
	}
	return os.MkdirAll("/run/lock", 0o755)
}

// address waits for the wire, and forwards what comes over it.
func address() error {
	for {
		_, err := netlink.LinkByName("eth0")
		if err == nil {
			break
		}
		if !errors.As(err, new(netlink.LinkNotFoundError)) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return err
	}
	if _, err := raise("eth0", nodeIP); err != nil {
		return err
	}
	return errors.Join(
		netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(hostIP)}),
		os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644),
	)
}

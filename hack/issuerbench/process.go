package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	serverCore = "1"
	loadCore   = "0"
)

// process is a server under measurement.
type process struct {
	cmd     *exec.Cmd
	address string
	// metrics is where an issuer has its metrics and profiles.
	metrics string
	// ready is how long it took until the first TLS connection.
	ready time.Duration
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

// start starts a command on the server's core and waits until it accepts TLS. What it writes goes into a file.
func start(ctx context.Context, log, address string, command ...string) (*process, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", serverCore}, command...)...)
	cmd.Stdout, cmd.Stderr = f, f
	// A session of its own is scheduled as one group (sched_autogroup), as a pod is.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, address: address}
	for time.Since(began) < 20*time.Second {
		c, err := dial(address)
		if err == nil {
			p.ready = time.Since(began)
			return p, c.Close()
		}
		<-time.After(time.Millisecond)
	}
	p.stop()
	b, _ := os.ReadFile(log)
	return nil, fmt.Errorf("%v does not serve: %s", command, b)
}

func dial(address string) (*tls.Conn, error) {
	d := &net.Dialer{Timeout: 2 * time.Second}
	return tls.DialWithDialer(d, "tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// cpu is the time that all threads of the process ran.
func (p *process) cpu() time.Duration {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	var total time.Duration
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		ran, _, _ := strings.Cut(string(b), " ")
		n, _ := strconv.ParseInt(ran, 10, 64)
		total += time.Duration(n)
	}
	return total
}

// rss is the resident memory in MB.
func (p *process) rss() float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, _ := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
			return kib / 1024
		}
	}
	return 0
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// hold has the first process stop a component, and waits until it is gone.
func (c *cluster) hold(ctx context.Context, name string) error {
	if _, err := os.Stat(c.path("logs", name)); err != nil {
		return fmt.Errorf("the cluster has no component %s: %w", name, err)
	}
	if err := os.WriteFile(c.path("hold", name), nil, 0o600); err != nil {
		return err
	}
	for {
		if _, err := os.Stat(c.path("running", name)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !c.alive() {
			return errors.New("the cluster has ended: logs/inside says why")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// release has the first process start a component again.
func (c *cluster) release(name string) error {
	return os.Remove(c.path("hold", name))
}

// resync starts the kubelet again with another syncFrequency. The pods run on.
func (c *cluster) resync(ctx context.Context, every string) error {
	frequency, err := time.ParseDuration(every)
	if err != nil {
		return err
	}
	c.sync = frequency
	if err := c.hold(ctx, "kubelet"); err != nil {
		return err
	}
	return errors.Join(c.write("kubelet.yaml", "kubelet.yaml", c.values()), c.release("kubelet"))
}

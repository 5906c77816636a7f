package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// clockWatch ends the process when its clock steps by more than any SigningKey allows clocks to differ. What a SigningKey
// waits for is counted by that clock, and a step would count time that never passed. The process that comes after it, or
// the replica that takes over, counts the wait of each Standby anew.
type clockWatch struct {
	keys client.Reader
	// now is the clock that can step, elapsed the one that cannot.
	now     func() time.Time
	elapsed func() time.Duration
}

const (
	// clockWatchPeriod is the time between two looks at the clocks.
	clockWatchPeriod = time.Second
	// defaultClockSkew is what a SigningKey allows if it does not say.
	defaultClockSkew = time.Minute
)

func newClockWatch(keys client.Reader, now func() time.Time) *clockWatch {
	start := now()
	return &clockWatch{keys: keys, now: now, elapsed: func() time.Duration { return now().Sub(start) }}
}

// Start compares the clocks until the context ends. It is an error that they moved apart.
func (c *clockWatch) Start(ctx context.Context) error {
	ticker := time.NewTicker(clockWatchPeriod)
	defer ticker.Stop()
	offset := c.offset()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			step := c.offset() - offset
			if allowed := c.allowed(ctx); step.Abs() > allowed {
				return fmt.Errorf("the clock stepped by %v, which is more than the clockSkew of %v: the process restarts, "+
					"so that no wait is cut short", step.Round(time.Millisecond), allowed)
			}
		}
	}
}

// NeedLeaderElection keeps a replica that waits from going on with a clock that stepped, too.
func (c *clockWatch) NeedLeaderElection() bool { return false }

// offset is by how much the clock that can step is ahead of the one that cannot, plus a constant.
func (c *clockWatch) offset() time.Duration {
	return time.Duration(c.now().UnixNano()) - c.elapsed()
}

// allowed is the smallest clockSkew of all SigningKeys.
func (c *clockWatch) allowed(ctx context.Context) time.Duration {
	var all keywrightv1alpha1.SigningKeyList
	if err := c.keys.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil || len(all.Items) == 0 {
		return defaultClockSkew
	}
	least := all.Items[0].Spec.Token.ClockSkew.Duration
	for i := range all.Items {
		least = min(least, all.Items[i].Spec.Token.ClockSkew.Duration)
	}
	return least
}

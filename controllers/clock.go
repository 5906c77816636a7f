package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// clockWatch ends the process if its clock steps by more than the smallest clockSkew. All waits are measured with that
// clock, and a step would shorten them. The next process, or the replica that takes over, starts the wait of each
// Standby again.
type clockWatch struct {
	keys client.Reader
	// now is the wall clock, which can step. elapsed is a monotonic clock.
	now     func() time.Time
	elapsed func() time.Duration
}

const (
	// clockWatchPeriod is the time between two comparisons of the clocks.
	clockWatchPeriod = time.Second
	// defaultClockSkew is the limit if there is no SigningKey.
	defaultClockSkew = time.Minute
)

func newClockWatch(keys client.Reader, now func() time.Time) *clockWatch {
	start := now()
	return &clockWatch{keys: keys, now: now, elapsed: func() time.Duration { return now().Sub(start) }}
}

// Start compares the clocks until the context ends. It returns an error if the wall clock steps.
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
					"so that no key is activated or removed too early", step.Round(time.Millisecond), allowed)
			}
		}
	}
}

// NeedLeaderElection returns false, since a replica that is not the leader must not continue with a stepped clock
// either.
func (c *clockWatch) NeedLeaderElection() bool { return false }

// offset returns the difference of the wall clock and the monotonic clock, plus a constant.
func (c *clockWatch) offset() time.Duration {
	return time.Duration(c.now().UnixNano()) - c.elapsed()
}

// allowed returns the smallest clockSkew of all SigningKeys.
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

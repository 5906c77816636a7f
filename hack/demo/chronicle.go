package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/hack/demo/traffic"
)

const keyName = "demo"

// chronicle records what the SigningKey's status says over time, and what the demo does to it.
type chronicle struct {
	admin client.Client
	began time.Time
	say   func(string)

	mu        sync.Mutex
	key       keywrightv1alpha1.SigningKey
	activeFor time.Time
	rotations int
	// lines has a letter a second for each key that was ever published, in the order of their appearance.
	order  []string
	lines  map[string][]byte
	events []string
}

// follow looks at the SigningKey five times a second.
func (c *chronicle) follow(ctx context.Context) {
	traffic.Every(ctx, 200*time.Millisecond, func(ctx context.Context, _ int) {
		var key keywrightv1alpha1.SigningKey
		if c.admin.Get(ctx, client.ObjectKey{Name: keyName}, &key) == nil {
			c.saw(key)
		}
	})
}

func (c *chronicle) saw(key keywrightv1alpha1.SigningKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, is := c.key.Status.ActiveKeyID, key.Status.ActiveKeyID
	c.key = key
	if is != was && is != "" {
		c.activeFor = time.Now()
		if was != "" {
			c.rotations++
			c.event("rotation %d: key %.8s signs instead of %.8s", c.rotations, is, was)
		} else {
			c.event("key %.8s signs", is)
		}
	}
	second := int(time.Since(c.began) / time.Second)
	for _, k := range key.Status.Keys {
		c.mark(k.KeyID, second, letterOf(k.State))
	}
	for _, r := range key.Status.Revocations {
		if line, known := c.lines[r.KeyID]; known && len(line) <= second {
			c.mark(r.KeyID, second, 'x')
		}
	}
}

func letterOf(state string) byte {
	switch state {
	case "Standby":
		return '.'
	case "Active":
		return 'A'
	case "Retired":
		return 'r'
	}
	return '?'
}

// mark puts a letter at a second of a key's line.
func (c *chronicle) mark(kid string, second int, letter byte) {
	if _, known := c.lines[kid]; !known {
		c.order = append(c.order, kid)
	}
	line := c.lines[kid]
	for len(line) < second {
		line = append(line, ' ')
	}
	if len(line) == second {
		line = append(line, letter)
	}
	line[second] = letter
	c.lines[kid] = line
}

// event records what happened. The caller holds the lock.
func (c *chronicle) event(format string, args ...any) {
	text := fmt.Sprintf("%6.1fs  ", time.Since(c.began).Seconds()) + fmt.Sprintf(format, args...)
	c.events = append(c.events, text)
	c.say(text)
}

// record is event for those who do not hold the lock.
func (c *chronicle) record(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.event(format, args...)
}

// state returns the SigningKey, how often its key changed, and since when the present one signs.
func (c *chronicle) state() (keywrightv1alpha1.SigningKey, int, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key, c.rotations, c.activeFor
}

// history returns the keys in the order of their appearance with their lines, and what happened.
func (c *chronicle) history() (order []string, lines map[string]string, events []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines = map[string]string{}
	for kid, line := range c.lines {
		lines[kid] = string(line)
	}
	return slices.Clone(c.order), lines, slices.Clone(c.events)
}

// until waits for something to become true of the SigningKey.
func (c *chronicle) until(ctx context.Context, what string, is func(key *keywrightv1alpha1.SigningKey, rotations int) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if key, rotations, _ := c.state(); is(&key, rotations) {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
}

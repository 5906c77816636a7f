package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/e2e/report"
)

// publications notes when the API server said that a key came to the key set, or left it.
type publications struct {
	report.KeySet
}

// follow watches the ConfigMap of a namespace until the test ends, over restarts of the API server.
func follow(t *testing.T, s *shell) *publications {
	t.Helper()
	p := &publications{}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	t.Cleanup(func() { cancel(); done.Wait() })
	done.Go(func() {
		for ctx.Err() == nil {
			p.watch(ctx, s)
		}
	})
	return p
}

func (p *publications) watch(ctx context.Context, s *shell) {
	cmd := exec.CommandContext(ctx, "kubectl", "get", "configmap", "keywright-jwks", "-n", "shop", "--watch", "--output-watch-events", "-o", "json")
	cmd.Path, cmd.Env = s.program("kubectl"), s.environment
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return
	}
	for decoder := json.NewDecoder(bufio.NewReader(out)); ; {
		var event struct {
			Object struct {
				Data map[string]string `json:"data"`
			} `json:"object"`
		}
		if decoder.Decode(&event) != nil {
			break
		}
		p.Look([]byte(event.Object.Data["main.json"]), time.Now())
	}
	_ = cmd.Wait()
}

// delays are from each event since a time whose name begins so until each pod's file had it.
func (p *publications) delays(pods []report.Seen, begins string, since time.Time) []time.Duration {
	var all []time.Duration
	for name, at := range p.Seen() {
		if at < since.UnixMilli() || !strings.HasPrefix(name, begins) {
			continue
		}
		for _, pod := range pods {
			if saw := pod[name]; saw != 0 {
				all = append(all, time.Duration(max(0, saw-at))*time.Millisecond)
			}
		}
	}
	slices.Sort(all)
	return all
}

// histogram draws sorted durations.
func histogram(sorted []time.Duration) string {
	if len(sorted) == 0 {
		return "nothing was seen"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d: median %v, the longest %v\n", len(sorted), sorted[len(sorted)/2], sorted[len(sorted)-1])
	step := max(sorted[len(sorted)-1]/10, time.Millisecond)
	for from := time.Duration(0); from <= sorted[len(sorted)-1]; from += step {
		n := 0
		for _, d := range sorted {
			if d >= from && d < from+step {
				n++
			}
		}
		fmt.Fprintf(&b, "  %8v  %s %d\n", from.Round(time.Millisecond), strings.Repeat("#", n*60/len(sorted)), n)
	}
	return b.String()
}

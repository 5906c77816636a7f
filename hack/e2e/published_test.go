package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// publications is when each content of the key set was published, by the SHA-256 of the content: when the API server said so.
type publications struct {
	mu sync.Mutex
	at map[string]int64
}

// follow watches the ConfigMap of a namespace until the test ends, over restarts of the API server.
func follow(t *testing.T, s *shell) *publications {
	t.Helper()
	p := &publications{at: map[string]int64{}}
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
		p.add(event.Object.Data["main.json"])
	}
	_ = cmd.Wait()
}

func (p *publications) add(content string) {
	sum := sha256.Sum256([]byte(content))
	p.mu.Lock()
	defer p.mu.Unlock()
	if name := hex.EncodeToString(sum[:]); p.at[name] == 0 {
		p.at[name] = time.Now().UnixMilli()
	}
}

// delays are from the publication of each content since a time until each pod saw it.
func (p *publications) delays(pods []report.Seen, since time.Time) []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []time.Duration
	for name, at := range p.at {
		if at < since.UnixMilli() {
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

// Package report is what the pods of the end-to-end test tell it.
package report

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/keywright/keywright/hack/demo/traffic"
)

// Report is what a load has seen.
type Report struct {
	traffic.Tally
	// Problems are the first things that went wrong.
	Problems  []string
	Latencies map[string]Quantiles
}

// Quantiles say how long something took.
type Quantiles struct {
	Count         int
	P50, P99, Max time.Duration
}

// sample is how many durations are kept of each kind: chosen by chance, each as likely as any other.
const sample = 20000

// Latencies collects durations of several kinds.
type Latencies struct {
	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	kept  []time.Duration
	count int
	max   time.Duration
}

// NewLatencies returns an empty collection.
func NewLatencies() *Latencies { return &Latencies{kinds: map[string]*kind{}} }

// Add adds one duration.
func (l *Latencies) Add(name string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.kinds[name]
	if k == nil {
		k = &kind{}
		l.kinds[name] = k
	}
	k.count++
	k.max = max(k.max, took)
	if len(k.kept) < sample {
		k.kept = append(k.kept, took)
	} else if at := rand.IntN(k.count); at < sample {
		k.kept[at] = took
	}
}

// Quantiles sums up each kind.
func (l *Latencies) Quantiles() map[string]Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]Quantiles{}
	for name, k := range l.kinds {
		sorted := slices.Sorted(slices.Values(k.kept))
		all[name] = Quantiles{Count: k.count, P50: sorted[len(sorted)/2], P99: sorted[len(sorted)*99/100], Max: k.max}
	}
	return all
}

package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

func unmarshal(data []byte, into any) error { return json.Unmarshal(data, into) }

// batch is how many tokens are verified between two looks at the clock.
const batch = 64

// cost is what one verification takes.
type cost struct {
	nanoseconds, ratio float64 // ratio is to the first contestant
	bytes, allocations float64
}

// first measures the first verification of tokens by all contestants.
func first(i *issuer, f *field, rounds int) ([]cost, error) {
	times := make([][]float64, len(f.list))
	costs := make([]cost, len(f.list))
	for round := range rounds + 1 { // the first is to warm up
		tokens, err := i.tokens(batch)
		if err != nil {
			return nil, err
		}
		for turn := range f.list {
			n := (turn + round) % len(f.list)
			took, err := one(f.list[n], tokens, &costs[n])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.list[n].name, err)
			}
			if round > 0 {
				times[n] = append(times[n], took)
			}
		}
	}
	for n := range costs {
		costs[n].nanoseconds = median(times[n])
		ratios := make([]float64, rounds)
		for round := range ratios {
			ratios[round] = times[n][round] / times[0][round]
		}
		costs[n].ratio = median(ratios)
	}
	return costs, nil
}

// one measures one batch, and returns nanoseconds a token.
func one(c contestant, tokens []string, into *cost) (float64, error) {
	ready := make([]prepared, len(tokens))
	for n, token := range tokens {
		var err error
		if ready[n], err = c.prepare(token); err != nil {
			return 0, err
		}
	}
	return measure(len(ready), into, func(n int) error { return c.verify(ready[n]) })
}

// measure calls f count times and returns nanoseconds of CPU time a call.
func measure(count int, into *cost, f func(n int) error) (float64, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime()
	for n := range count {
		if err := f(n); err != nil {
			return 0, err
		}
	}
	took := cpuTime() - began
	runtime.ReadMemStats(&after)
	into.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(count)
	into.allocations = float64(after.Mallocs-before.Mallocs) / float64(count)
	return float64(took) / float64(count), nil
}

// cpuTime is what the process has used so far, on all cores.
func cpuTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func printFirst(algorithm string, f *field, costs []cost) {
	printTable(algorithm+", first verification", f, costs)
}

func printTable(title string, f *field, costs []cost) {
	fmt.Printf("\n| %s | µs | ratio | allocations | bytes |\n|---|---|---|---|---|\n", title)
	for n, c := range costs {
		fmt.Printf("| %s | %.1f | %.2f | %.0f | %.0f |\n", f.list[n].name, c.nanoseconds/1000, c.ratio, c.allocations, c.bytes)
	}
}

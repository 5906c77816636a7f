// Command issuerbench measures the issuer against four floors in one run: A answers with a constant, B does the least that
// issuing an ES256 token takes, C the least that exchanging an RS256 token for one takes, and D is B with
// one more verification, which a proof needs. Each server has one core, the load has another; what counts is the CPU time that the kernel
// says a server took for a request, in medians of interleaved rounds. Arguments name what to measure, all by default: requests,
// refresh, starts, memory, held, storms, names. `profile FILE` measures nothing: it writes what the compiler is told of the issuer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "issuerbench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 4 && args[0] == "floor" { // started by a run of itself
		return serveFloor(args[1], args[2], args[3])
	}
	rounds, tokens := number("ROUNDS", 5), number("TOKENS", 200_000)
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	if len(args) == 2 && args[0] == "profile" {
		return b.profile(ctx, args[1])
	}
	fmt.Printf("medians of %d interleaved rounds; each server on core %s, the load on core %s\n\n", rounds, serverCore, loadCore)
	for _, step := range []struct {
		name    string
		measure func() error
	}{
		{"requests", func() error { return b.requests(ctx, rounds) }},
		{"refresh", func() error { return b.refresh(ctx, rounds) }},
		{"starts", func() error { return b.starts(ctx, rounds) }},
		{"memory", func() error { return b.memory(ctx, tokens) }},
		{"held", func() error { return b.held(ctx) }},
		{"storms", func() error { return b.storms(ctx, rounds) }},
		{"names", func() error { return b.names(ctx, rounds) }},
	} {
		if len(args) > 0 && !slices.Contains(args, step.name) {
			continue
		}
		if err := step.measure(); err != nil {
			return err
		}
	}
	b.printGoals()
	return nil
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return otherwise
}

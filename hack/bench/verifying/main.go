// Command verifying measures how long a token takes to verify: the bare signature, this module, and other libraries with
// the same checks asked of them, in the same run. It prints Markdown. `make bench-verifier` runs it.
//
// Every contestant gets tokens that nobody has seen before, a batch at a time, all contestants in turn, many rounds. What
// counts is the CPU time of the process, garbage collection included, and of that the median over the rounds; a ratio is
// the median of the ratios within a round. So a busy machine makes the figures wider, but favours nobody.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	rounds := flag.Int("rounds", 41, "rounds of each measurement")
	process := flag.Bool("process", false, "verify a key set and tokens from standard input, as a process to be measured")
	flag.Parse()
	measured := func() error { return run(*rounds) }
	if *process {
		measured = serveProcess
	}
	if err := measured(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(rounds int) error {
	for _, algorithm := range []string{"ES256", "EdDSA", "RS256"} {
		issuer, err := newIssuer(algorithm)
		if err != nil {
			return err
		}
		field, err := contestants(issuer)
		if err != nil {
			return err
		}
		results, err := first(issuer, field, rounds)
		field.close()
		if err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		printFirst(algorithm, field, results)
		if err := more(issuer, rounds); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		if err := bound(issuer, rounds); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		if err := processes(issuer, min(rounds, 11)); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
	}
	return nil
}

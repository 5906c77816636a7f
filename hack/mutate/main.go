// Command mutate takes the checks out of a package, one at a time, and runs its tests each time: a check that no test
// misses is a survivor, and fails the run. `make mutate-verifier` runs it over the verifier.
//
// A check is a part of a condition that leads to a refusal, a part of a comparison that is returned, or a name in a list
// of names to look for. All of them are compiled into one test program, with a switch each. Survivors that are meant to be are in equivalent.txt, each with its reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

func main() {
	directory := flag.String("dir", "../../verifier", "package to mutate")
	equivalent := flag.String("equivalent", "equivalent.txt", "survivors that are meant to be")
	workers := flag.Int("workers", 2, "how many run at once")
	flag.Parse()
	if err := run(*directory, *equivalent, *workers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(directory, equivalent string, workers int) error {
	mutants, err := find(directory)
	if err != nil {
		return err
	}
	known, err := read(equivalent)
	if err != nil {
		return err
	}
	program, remove, err := compile(directory, mutants)
	if err != nil {
		return err
	}
	defer remove()
	if !passes(program, directory, -1) {
		return errors.New("the tests fail with every check in its place")
	}
	survived := try(program, directory, mutants, workers)
	unexpected := 0
	for i, m := range mutants {
		if !survived[i] {
			continue
		}
		if reason, found := known[m.name()]; found {
			delete(known, m.name())
			fmt.Printf("equivalent: %s (%s)\n", m.name(), reason)
			continue
		}
		unexpected++
		fmt.Printf("HELD BY NO TEST: line %d: %s\n", m.line, m.name())
	}
	for name := range known {
		unexpected++
		fmt.Printf("NO LONGER SURVIVES, take it out of the list: %s\n", name)
	}
	fmt.Printf("%d checks taken out, %d missed by no test\n", len(mutants), unexpected)
	if unexpected > 0 {
		return fmt.Errorf("%d checks are not held by any test, or listed in vain", unexpected)
	}
	return nil
}

// try runs the tests with each mutant, and tells which of them passed.
func try(program, directory string, mutants []mutant, workers int) []bool {
	survived := make([]bool, len(mutants))
	queue := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range queue {
				if survived[i] = passes(program, directory, i); survived[i] {
					fmt.Printf("%d of %d survives: line %d: %s\n", i+1, len(mutants), mutants[i].line, mutants[i].name())
				}
			}
		})
	}
	for i := range mutants {
		queue <- i
	}
	close(queue)
	group.Wait()
	return survived
}

// passes runs the tests of the package with one check taken out.
func passes(program, directory string, number int) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, "-test.failfast", "-test.timeout=1m")
	command.Dir = directory
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, number))
	return command.Run() == nil
}

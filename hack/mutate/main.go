// Command mutate takes the checks out of packages, one at a time, and runs the tests of all of them each time: a check that no test
// misses is a survivor, and fails the run. `make mutate-verifier` runs it over the verifier.
//
// A check is a part of a condition that leads to a refusal, a part of a comparison that is returned, or a name in a list
// of names to look for. All of them are compiled into one test program for each package, with a switch each. Survivors that are meant to be are in equivalent.txt, each with its reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	directories := flag.String("dir", "../../verifier,../../verifier/dpop,../../verifier/internal/jws,../../verifier/internal/strictjson",
		"packages to mutate, with commas between")
	equivalent := flag.String("equivalent", "equivalent.txt", "file that lists the mutants that may survive")
	workers := flag.Int("workers", 2, "number of mutants to test at once")
	flag.Parse()
	if err := run(strings.Split(*directories, ","), *equivalent, *workers); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(directories []string, equivalent string, workers int) error {
	var mutants []mutant
	for _, directory := range directories {
		found, err := find(directory)
		if err != nil {
			return err
		}
		mutants = append(mutants, found...)
	}
	known, err := read(equivalent)
	if err != nil {
		return err
	}
	programs, remove, err := compile(directories, mutants)
	if err != nil {
		return err
	}
	defer remove()
	if !passes(programs, -1) {
		return errors.New("the tests fail without any mutant: fix them first")
	}
	survived := try(programs, mutants, workers)
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
func try(programs []program, mutants []mutant, workers int) []bool {
	survived := make([]bool, len(mutants))
	queue := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := range queue {
				if survived[i] = passes(ownFirst(programs, mutants[i]), i); survived[i] {
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

// program is the tests of a package.
type program struct{ path, directory string }

// ownFirst puts the tests of the package of a mutant before the others: mostly one of them misses it.
func ownFirst(programs []program, m mutant) []program {
	own := slices.IndexFunc(programs, func(p program) bool { return filepath.Clean(p.directory) == filepath.Dir(m.file) })
	sorted := slices.Clone(programs)
	sorted[0], sorted[own] = sorted[own], sorted[0]
	return sorted
}

// passes runs the tests with one check taken out.
func passes(programs []program, number int) bool {
	for _, p := range programs {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		command := exec.CommandContext(ctx, p.path, "-test.failfast", "-test.timeout=1m")
		command.Dir = p.directory
		command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", variable, number))
		err := command.Run()
		cancel()
		if err != nil {
			return false
		}
	}
	return true
}

// Command goals runs a benchmark, shows what it prints, and ends with a table: what was measured, its goal, and whether it was met.
//
//	goals go test -run '^$' -bench Plan ./controllers/rotation
//
// It reads the lines of Go's benchmarks and tables in Markdown. `make bench` runs every benchmark by it.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "goals COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "goals:", err)
		os.Exit(1)
	}
}

func run(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	found := read(io.TeeReader(out, os.Stdout))
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", command[0], err)
	}
	return report(os.Stdout, found)
}

// read returns each figure by its name, until the end.
func read(out io.Reader) map[string]float64 {
	var r reader
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.line(lines.Text())
	}
	_, _ = io.Copy(io.Discard, out) // a line that is too long must not stop the benchmark
	return r.found
}

// report prints what is known of each goal whose figure was measured.
func report(w io.Writer, found map[string]float64) error {
	printed := false
	for _, g := range goals() {
		value, ok := found[g.figure]
		if !ok {
			continue
		}
		if !printed {
			if _, err := fmt.Fprint(w, "\n| figure | measured | goal: at most | met |\n|---|---|---|---|\n"); err != nil {
				return err
			}
			printed = true
		}
		met := "yes"
		if value > g.most {
			met = "**no**"
		}
		if _, err := fmt.Fprintf(w, "| %s | %.6g | %.6g | %s |\n", g.figure, value, g.most, met); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the programs in other languages
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/keywright/keywright/verifier"
)

// Programs of other languages, which read what serveProcess reads.
var (
	//go:embed processes/jose.mjs
	joseProgram string
	//go:embed processes/pyjwt.py
	pyjwtProgram string
)

// processTokens is how many tokens a process verifies.
const processTokens = 2000

// program is a verifier in a process of its own.
type program struct {
	name      string
	directory string
	command   []string
}

// programs returns those that run with an input without tokens, ours first, and prints how to install the others.
func programs(none []byte) ([]program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	interop := filepath.Join("..", "interop") // its node_modules has jose
	all := []program{
		{"this module", ".", []string{self, "-process"}},
		{"jose, Node", interop, []string{"node", "--input-type=module", "--eval", joseProgram}},
		{"PyJWT, Python", ".", []string{"/usr/bin/python3", "-c", pyjwtProgram}},
	}
	var installed []program
	for _, p := range all {
		if _, err := p.run(none); err != nil {
			fmt.Printf("\n%s is not measured: %v. `npm --prefix hack/interop install` installs jose, and `apt-get install python3-jwt` PyJWT.\n", p.name, err)
			continue
		}
		installed = append(installed, p)
	}
	return installed, nil
}

// run returns the CPU time of a process that reads the input.
func (p program) run(input []byte) (time.Duration, error) {
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Dir, cmd.Stdin = p.directory, bytes.NewReader(input)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	if err := cmd.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(complaint.String()), "\n")
		return 0, fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// processes measures whole processes: their start, and what each token adds. A ratio is to this module in the same round.
func processes(i *issuer, rounds int) error {
	none := fmt.Appendf(nil, "%s\n%s\n", i.jwks, i.algorithm)
	all, err := programs(none)
	if err != nil {
		return err
	}
	starts, tokens, ratios := make([][]float64, len(all)), make([][]float64, len(all)), make([][]float64, len(all))
	for range rounds {
		signed, err := i.tokens(processTokens)
		if err != nil {
			return err
		}
		input := append(bytes.Clone(none), strings.Join(signed, "\n")...)
		for n, p := range all {
			start, err := p.run(none)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			took, err := p.run(input)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			starts[n] = append(starts[n], float64(start.Microseconds())/1000)
			tokens[n] = append(tokens[n], float64((took-start).Nanoseconds())/processTokens/1000)
			ratios[n] = append(ratios[n], tokens[n][len(tokens[n])-1]/tokens[0][len(tokens[0])-1])
		}
	}
	fmt.Printf("\n| %s, whole process | start, ms of CPU | µs per token | ratio |\n|---|---|---|---|\n", i.algorithm)
	for n, p := range all {
		fmt.Printf("| %s | %.0f | %.1f | %.2f |\n", p.name, median(starts[n]), median(tokens[n]), median(ratios[n]))
	}
	return nil
}

// serveProcess verifies as the programs of other languages do: a key set, an algorithm, and tokens from standard input, one per line.
func serveProcess() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return errors.New("no key set")
	}
	file, err := os.CreateTemp("", "jwks")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if _, err := file.Write(lines.Bytes()); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	v, err := verifier.New(verifier.Config{Issuers: map[string]verifier.Source{issuerName: verifier.File(file.Name())}, Audience: audience, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer v.Close()
	lines.Scan() // the algorithm is that of the keys
	for lines.Scan() {
		if _, err := v.Verify(context.Background(), lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// variable is the environment variable with the number of the mutant that a test program is.
const variable = "KEYWRIGHT_MUTANT"

// switches is what is compiled into the package beside the mutants.
const switches = `package %s

import (
	"os"
	"strconv"
)

var mutantNumber = func() int {
	number, err := strconv.Atoi(os.Getenv("%s"))
	if err != nil {
		panic(err)
	}
	return number
}()

func mutantIs(number int) bool { return number == mutantNumber }

func mutantText(number int, text string) string {
	if mutantIs(number) {
		return "taken out"
	}
	return text
}
`

// compile builds the tests of packages with all mutants in them, each with its switch.
func compile(directories []string, mutants []mutant) (programs []program, remove func(), err error) {
	temporary, err := os.MkdirTemp("", "keywright-mutants-")
	if err != nil {
		return nil, nil, err
	}
	remove = func() { _ = os.RemoveAll(temporary) }
	overlay := map[string]string{}
	put := func(directory, name, content string) error {
		absolute, err := filepath.Abs(filepath.Join(directory, name))
		if err != nil {
			return err
		}
		written := filepath.Join(temporary, fmt.Sprintf("%d-%s", len(overlay), name))
		overlay[absolute] = written
		return os.WriteFile(written, []byte(content), 0o600)
	}
	for _, directory := range directories {
		if err := put(directory, "mutants.go", fmt.Sprintf(switches, filepath.Base(directory), variable)); err != nil {
			return nil, remove, err
		}
	}
	for file, edits := range editsOf(mutants) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, remove, err
		}
		if err := put(filepath.Dir(file), filepath.Base(file), apply(string(text), edits)); err != nil {
			return nil, remove, err
		}
	}
	description, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return nil, remove, err
	}
	list := filepath.Join(temporary, "overlay.json")
	if err := os.WriteFile(list, description, 0o600); err != nil {
		return nil, remove, err
	}
	for i, directory := range directories {
		p := program{filepath.Join(temporary, fmt.Sprintf("%d.test", i)), directory}
		command := exec.Command("go", "test", "-c", "-overlay", list, "-vet=off", "-o", p.path, ".")
		command.Dir = directory
		if out, err := command.CombinedOutput(); err != nil {
			return nil, remove, fmt.Errorf("the mutants do not compile: %w\n%s", err, out)
		}
		programs = append(programs, p)
	}
	return programs, remove, nil
}

// edit is a text to put into a file. Where several stand at one place, those that close come before those that open, and
// the inner of two that close before the outer.
type edit struct {
	at, rank int
	text     string
}

func editsOf(mutants []mutant) map[string][]edit {
	edits := map[string][]edit{}
	for number, m := range mutants {
		length := m.to - m.from
		edits[m.file] = append(edits[m.file],
			edit{m.from, 1<<30 - length, fmt.Sprintf(m.before, number)}, edit{m.to, length - 1<<30, "))"})
	}
	return edits
}

func apply(text string, edits []edit) string {
	sort.SliceStable(edits, func(i, j int) bool {
		if edits[i].at != edits[j].at {
			return edits[i].at < edits[j].at
		}
		return edits[i].rank < edits[j].rank
	})
	var out strings.Builder
	done := 0
	for _, e := range edits {
		out.WriteString(text[done:e.at])
		out.WriteString(e.text)
		done = e.at
	}
	return out.String() + text[done:]
}

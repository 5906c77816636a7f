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

// compile builds the tests of a package with all mutants in it, each with its switch.
func compile(directory string, mutants []mutant) (program string, remove func(), err error) {
	temporary, err := os.MkdirTemp("", "keywright-mutants-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(temporary) }
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return "", remove, err
	}
	overlay := map[string]string{}
	put := func(name, content string) error {
		overlay[filepath.Join(absolute, name)] = filepath.Join(temporary, name)
		return os.WriteFile(filepath.Join(temporary, name), []byte(content), 0o600)
	}
	if err := put("mutants.go", fmt.Sprintf(switches, filepath.Base(absolute), variable)); err != nil {
		return "", remove, err
	}
	for file, edits := range editsOf(mutants) {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", remove, err
		}
		if err := put(filepath.Base(file), apply(string(text), edits)); err != nil {
			return "", remove, err
		}
	}
	description, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return "", remove, err
	}
	list := filepath.Join(temporary, "overlay.json")
	if err := os.WriteFile(list, description, 0o600); err != nil {
		return "", remove, err
	}
	program = filepath.Join(temporary, "mutants.test")
	command := exec.Command("go", "test", "-c", "-overlay", list, "-vet=off", "-o", program, ".")
	command.Dir = directory
	if out, err := command.CombinedOutput(); err != nil {
		return "", remove, fmt.Errorf("the mutants do not compile: %w\n%s", err, out)
	}
	return program, remove, nil
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

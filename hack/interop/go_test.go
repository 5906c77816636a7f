package interop

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const goDriver = `package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
)

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		subject, err := verify(context.Background(), lines.Text())
		if err == nil {
			err = checkEnded(lines.Text())
		}
		if err != nil {
			fmt.Printf("no %q\n", err)
			continue
		}
		fmt.Println("ok", subject)
	}
}
`

// build compiles files as a command of this module, which has what they import, without putting them into it.
func build(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := write(t, files)
	here, err := os.Getwd()
	check(t, err)
	overlay := map[string]map[string]string{"Replace": {}}
	for name := range files {
		overlay["Replace"][filepath.Join(here, "example", name)] = filepath.Join(directory, name)
	}
	description, err := json.Marshal(overlay)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(directory, "overlay.json"), description, 0o600))
	program := filepath.Join(directory, "program")
	out, err := exec.Command("go", "build", "-overlay", filepath.Join(directory, "overlay.json"), "-o", program, "./example").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func TestGo(t *testing.T) {
	for _, name := range []string{"go-golang-jwt", "go-jwx", "go-oidc"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rotated.New(t, "ES256")
			program := build(t, map[string]string{
				"example.go": example(t, name, mounted, w.Volume.File()), "main.go": goDriver, "ended.go": ended(t, w, "go-ended"),
			})
			w.Tell(t, start(t, filepath.Dir(program), program), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
		})
	}
}

package login

import (
	"os"
	"slices"
	"testing"
)

// TestMain is what the binary of the issuer is too: a worker, when it is asked to be one.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{WorkerCommand}) {
		if Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

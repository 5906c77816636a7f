package server_test

import (
	"os"
	"slices"
	"testing"

	"github.com/keywright/keywright/issuer/login"
)

// TestMain is what the binary of the issuer is too: a worker that hashes passwords, when it is asked to be one.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{login.WorkerCommand}) {
		if login.Work(os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

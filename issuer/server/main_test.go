package server_test

import (
	"flag"
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
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given { // the tests that run in parallel mostly wait
		_ = flag.Set("test.parallel", "8")
	}
	os.Exit(m.Run())
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The committed corpus is what this program writes.
func TestCorpusIsGenerated(t *testing.T) {
	if strings.Contains(os.Getenv("GODEBUG"), "fips140=only") {
		t.Skip("GODEBUG=fips140=only: attacks are made with what it refuses, such as a MAC under a short key")
	}
	committed, err := os.ReadFile(filepath.Join("..", "..", "testdata", "attacks.json"))
	if err != nil {
		t.Fatal(err)
	}
	generated, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, generated) {
		t.Error("testdata/attacks.json is not what this program writes: run `go generate` in verifier, and look at the difference")
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed corpus is what this program writes.
func TestCorpusIsGenerated(t *testing.T) {
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

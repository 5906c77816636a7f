package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestMountIsWrittenAsAKubeletDoes(t *testing.T) {
	m := &mount{directory: t.TempDir()}
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(m.directory, name))
		if errors.Is(err, fs.ErrNotExist) {
			return "missing"
		}
		return string(b)
	}
	write := func(files map[string][]byte) {
		t.Helper()
		if err := m.write(files); err != nil {
			t.Fatal(err)
		}
	}
	write(map[string][]byte{"a.json": []byte("1"), "b.json": []byte("2")})
	first, err := filepath.EvalSymlinks(filepath.Join(m.directory, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	write(map[string][]byte{"a.json": []byte("3")})
	second, err := filepath.EvalSymlinks(filepath.Join(m.directory, "a.json"))
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("a file was written in place")
	}
	if read("a.json") != "3" || read("b.json") != "missing" {
		t.Errorf("a.json is %s, b.json is %s", read("a.json"), read("b.json"))
	}
	if _, err := os.Stat(first); err == nil {
		t.Error("the old version is still there")
	}
}

// Command reference writes the reference of custom resources as Markdown, from their CRDs: every field with its type, its default, its
// bounds, and the comment that stands at the field in the Go types. Bounds that are CEL rules are told by their messages, which is what
// other generators leave out.
//
//	reference CRD.yaml... >reference.md
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: reference CRD [CRD ...]")
	}
	text := preface
	for _, file := range args {
		crd, err := read(file)
		if err != nil {
			return err
		}
		text += "\n" + chapter(crd)
	}
	_, err := io.WriteString(out, text)
	return err
}

func read(file string) (definition, error) {
	var crd definition
	text, err := os.ReadFile(file)
	if err != nil {
		return crd, err
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return crd, fmt.Errorf("read %s: %w", file, err)
	}
	if len(crd.Spec.Versions) != 1 {
		return crd, fmt.Errorf("%s has %d versions: this writes about one", file, len(crd.Spec.Versions))
	}
	return crd, nil
}

// Command reference writes the reference of a custom resource as Markdown, from its CRD: every field with its type, its default, its
// bounds, and the comment that stands at the field in the Go types. Bounds that are CEL rules are told by their messages, which is what
// other generators leave out.
//
//	reference CRD.yaml >reference.md
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
	if len(args) != 1 {
		return errors.New("usage: reference CRD.yaml")
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var crd definition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	if len(crd.Spec.Versions) != 1 {
		return fmt.Errorf("%s has %d versions: this writes about one", args[0], len(crd.Spec.Versions))
	}
	_, err = io.WriteString(out, page(crd))
	return err
}

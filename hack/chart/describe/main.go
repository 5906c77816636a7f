// Command describe writes a description into each property of the schema of a chart's values, so that editors show it, and complete
// names. The texts are those of values.yaml, and for what values.yaml does not list, those of the CRD of a SigningKey and of the
// Go types of the issuer's configuration.
//
//	describe CHART
//
// It runs in hack, and replaces the descriptions that it wrote before. These are the first member of their schema. A
// description by hand is another member, and stays.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "describe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: describe CHART")
	}
	texts, err := ofStructs("Config", "issuer.config", filepath.Join("..", "issuer", "config"), filepath.Join("..", "issuer", "jwtverify"))
	if err != nil {
		return err
	}
	fields, err := ofCRD(filepath.Join("..", "config", "crd", "keywright.dev_signingkeys.yaml"), "signingKey")
	if err != nil {
		return err
	}
	values, err := ofValues(filepath.Join(args[0], "values.yaml"))
	if err != nil {
		return err
	}
	maps.Copy(texts, fields)
	maps.Copy(texts, values)
	file := filepath.Join(args[0], "values.schema.json")
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	after, err := describe(before, texts)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, after, 0o644)
}

// Package document reads one YAML or JSON document strictly, and says all that is wrong with it, with line numbers and without
// any of its values: they may be secrets.
package document

// Package document reads one YAML or JSON document strictly, and says all that is wrong with it: each mistake once, with its line and
// field, the nearest name that is known, and without any value, which may be a secret.
package document

// Package config parses and validates the configuration of the issuer. Its results are complete and need no further
// validation.
package config

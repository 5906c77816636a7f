// Package config reads the configuration of the issuer. What it returns is checked and complete: nothing behind it checks
// again.
package config

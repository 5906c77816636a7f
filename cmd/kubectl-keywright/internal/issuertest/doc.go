// Package issuertest runs a real issuer in tests of the plugin, with the key of a SigningKey of the test cluster.
package issuertest

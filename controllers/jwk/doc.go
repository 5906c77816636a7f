// Package jwk generates key pairs as JWKs (RFC 7517), and parses them.
package jwk

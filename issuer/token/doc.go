// Package token makes the claims of access tokens (RFC 9068).
package token

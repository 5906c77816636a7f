// Package token builds the claims of access tokens (RFC 9068).
package token

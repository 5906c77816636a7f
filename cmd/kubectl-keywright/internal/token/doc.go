// Package token gets a token from an issuer, verifies it, and prints what it contains.
package token

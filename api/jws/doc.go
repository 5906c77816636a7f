// Package jws is the table of the JWS algorithms that Keywright supports. It imports only the standard library, so
// that the controller and the issuer can share it.
package jws

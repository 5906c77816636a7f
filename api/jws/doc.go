// Package jws is the table of the JWS algorithms that Keywright signs with and accepts. It imports the standard library only, so that
// the controller and the issuer can both go by it.
package jws

// Package jws implements the parts of RFC 7515, 7517 and 7518 that tokens and DPoP proofs share: algorithms, public
// keys, and the verification of signatures.
package jws

// Package jws has the parts of RFC 7515, 7517 and 7518 that tokens and proofs share: which algorithms there are, which public keys fit
// them, and whether a signature is good.
package jws

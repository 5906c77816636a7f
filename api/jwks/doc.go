// Package jwks reads the public keys of other issuers: which of them may verify signatures, which are left out and why, and how a set of
// them is written for verifiers. The issuer, the fetcher and the controller all read with it.
package jwks

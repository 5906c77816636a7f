// Package jwks parses the public keys of other issuers, selects those that may verify signatures, and encodes them
// for verifiers. The issuer, the fetcher and the controller use it.
package jwks

// Package issuerfiles encodes and decodes the files that the controller writes and that issuers and verifiers read:
// the entries of the signing-key Secret, and the two files per SigningKey in the ConfigMap keywright-jwks.
//
// The controller, the issuer, tests and tools use the same functions. The vectors in testdata define the format. The
// package imports only the standard library.
package issuerfiles

// Package issuerfiles is the one codec of the files that the controller writes and issuers and verifiers read: the entries
// of the signing-key Secret, and the two files that each SigningKey has in the ConfigMap keywright-jwks.
//
// The controller encodes, the issuer decodes, and tests and tools use the same functions, so that neither side is tested
// against a picture of the other. The vectors in testdata are the format: a change of them is a change of the format. The
// package imports the standard library only.
package issuerfiles

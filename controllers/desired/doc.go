// Package desired contains what the signingkey and trustedissuer controllers give to the distribution controller: the
// files of each SigningKey and TrustedIssuer, and their targets. It also has the codec of the records in the annotation
// of a ConfigMap.
package desired

// Package keys reads the mounted signing-key Secret into immutable snapshots of the signing key, the public keys and
// the policy.
package keys

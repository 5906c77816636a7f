// Package keys makes sense of the signing-key Secret as it is mounted: one snapshot of the key that signs, the public keys
// that are served, and the policy that binds both.
package keys

// Package keystore reads, writes and rebuilds the two Secrets of a SigningKey: the keyring, which only the controller
// reads, and the signing-key Secret, which the issuers mount. Both are read from the API server, never from a cache.
package keystore

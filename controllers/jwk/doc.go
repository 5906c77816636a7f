// Package jwk makes key pairs as JWKs (RFC 7517) and reads them back. Its table of algorithms says which kinds of keys there are.
package jwk

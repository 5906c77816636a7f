// Package session makes and opens refresh tokens (RFC 6749 section 1.5) without a store: each holds all that is known of its session, sealed
// with a key that only the issuers of one SigningKey have. No service can take one for an access token, nor read it.
package session

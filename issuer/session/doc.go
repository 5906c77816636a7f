// Package session issues and opens stateless refresh tokens (RFC 6749 section 1.5). Each contains its session,
// encrypted with a sealing key that only the issuers of one SigningKey have.
package session

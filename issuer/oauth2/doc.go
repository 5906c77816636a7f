// Package oauth2 implements the token endpoint: it authenticates clients and issues access tokens per grant type (RFC
// 6749, RFC 8693).
package oauth2

// Package oauth2 answers requests for tokens: it authenticates clients, and issues access tokens by grant type (RFC 6749, RFC 8693).
package oauth2

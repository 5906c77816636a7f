// Package jwtverify verifies JWTs of other issuers: client assertions, and tokens to exchange.
package jwtverify

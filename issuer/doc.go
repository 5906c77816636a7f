// Package issuer is the root of the packages that authenticate clients and sign tokens; it contains no code. config
// validates the configuration, reload reloads mounted files, keys reads the signing key, and login verifies
// passwords. jwtverify verifies JWTs of other issuers, ratelimit limits failed logins and concurrency, token builds
// claims, oauth2 serves token requests, and server serves HTTPS. None of them uses the Kubernetes API.
package issuer

// Package login knows the users, and reports whether a password is theirs without telling anything else.
package login

// Package login knows the users, and tells whether a password is theirs without telling anything else.
package login

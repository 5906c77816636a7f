// Package limit slows down whoever guesses passwords.
package limit

// Package login authenticates users by password, without revealing whether a user exists.
package login

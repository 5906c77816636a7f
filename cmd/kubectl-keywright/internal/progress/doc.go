// Package progress prints what a request waits for until the controller carries it out.
package progress

// Package receipt shows the progress of a revocation, as its receipt in the status reports it.
package receipt

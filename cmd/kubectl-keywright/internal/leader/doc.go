// Package leader finds the controller that holds the Lease, and reports whether it is running.
package leader

// Package report is how statuses of all kinds are written: conditions, times, and lists of names that stay short.
package report

// Package report formats what is written into a status: conditions, times and long lists of names.
package report

// Package e2e installs Keywright on a real node with the chart and the images that a user gets, and breaks what can break while tokens
// are verified in pods. `make e2e` runs it.
package e2e

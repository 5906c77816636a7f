// Package verifiertest has what tests of a service that verifies tokens need: a mounted volume that changes as a kubelet changes
// it.
package verifiertest

//go:build !linux

package login

// lowerPriority does nothing: only Linux has a priority per thread.
func lowerPriority() {}

// Package reload reloads values from mounted files when a kubelet changes them, and keeps the last valid value if
// that fails.
package reload

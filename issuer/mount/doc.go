// Package mount follows files that a kubelet swaps: it loads what changed, and keeps the last good value of what cannot be
// loaded.
package mount

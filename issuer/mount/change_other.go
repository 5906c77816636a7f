//go:build !linux

package mount

import "os"

// change says nothing: the bytes do, when the files are looked into.
func change(os.FileInfo) string { return "" }

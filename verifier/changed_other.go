//go:build !linux

package verifier

import (
	"os"
	"time"
)

// changeTime returns the zero time: what only it would show is seen when the bytes are read again.
func changeTime(os.FileInfo) time.Time { return time.Time{} }

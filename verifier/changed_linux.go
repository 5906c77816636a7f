package verifier

import (
	"os"
	"syscall"
	"time"
)

// changeTime returns when the content or the inode of a file last changed (st_ctim, inode(7)), which only the kernel
// sets; the zero time if it is not known.
func changeTime(file os.FileInfo) time.Time {
	if stat, ok := file.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return time.Time{}
}

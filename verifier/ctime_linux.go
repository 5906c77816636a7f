package verifier

import (
	"os"
	"syscall"
	"time"
)

// changeTime returns the time of the last change of a file's content or inode (st_ctim, inode(7)), which only the
// kernel sets. It returns the zero time if it is not known.
func changeTime(file os.FileInfo) time.Time {
	if stat, ok := file.Sys().(*syscall.Stat_t); ok {
		return time.Unix(stat.Ctim.Unix())
	}
	return time.Time{}
}

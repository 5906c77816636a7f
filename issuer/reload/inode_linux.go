package reload

import (
	"fmt"
	"os"
	"syscall"
)

// inodeChange returns the inode of a file and its ctime (st_ctim, inode(7)), which only the kernel sets.
func inodeChange(file os.FileInfo) string {
	stat, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(stat.Dev, stat.Ino, stat.Ctim.Nano())
}

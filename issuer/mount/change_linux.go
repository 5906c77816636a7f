package mount

import (
	"fmt"
	"os"
	"syscall"
)

// change is the inode of a file, and when it or its content last changed (st_ctim, inode(7)), which only the kernel sets.
func change(file os.FileInfo) string {
	stat, ok := file.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(stat.Dev, stat.Ino, stat.Ctim.Nano())
}

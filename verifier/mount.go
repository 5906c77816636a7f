package verifier

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// mountTable lists the mounts of this process (proc_pid_mountinfo(5)). There is none but on Linux.
const mountTable = "/proc/self/mountinfo"

// frozen finds out whether the file is mounted with subPath. A kubelet brings no change into such a mount: the process
// would go on with the keys of its start until it refuses valid tokens, and never learn of a revocation.
func (f *file) frozen() string {
	found, err := identify(f.path)
	if err != nil {
		return ""
	}
	table, err := os.ReadFile(mountTable)
	if err != nil {
		return ""
	}
	return frozenMount(string(table), found.path)
}

// frozenMount looks up the mount that holds path, with all its links followed. It cannot change if it is of the file
// alone, since a mount holds on to the file that it began with, or of one version of a volume, whose directory has two
// dots before its name: volumes are changed by making another version.
func frozenMount(table, path string) string {
	longest, root := "", ""
	lines := bufio.NewScanner(strings.NewReader(table))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescapeMount(fields[4])
		if holds(point, path) && len(point) >= len(longest) { // of two mounts on one point the later hides the other
			longest, root = point, unescapeMount(fields[3])
		}
	}
	if longest == path {
		return "it is mounted alone, as by subPath: mount the directory"
	}
	for _, name := range strings.Split(root, "/") {
		if strings.HasPrefix(name, "..") {
			return "one version of its volume is mounted, as by subPath: mount the volume"
		}
	}
	return ""
}

// holds reports whether path is directory or lies in it.
func holds(directory, path string) bool {
	return path == directory || strings.HasPrefix(path, strings.TrimSuffix(directory, "/")+"/")
}

// unescapeMount decodes the white space and backslashes of a path in the mount table, which are three octal digits each.
func unescapeMount(path string) string {
	before, after, _ := strings.Cut(path, `\`)
	if len(after) < 3 {
		return path
	}
	code, err := strconv.ParseUint(after[:3], 8, 8)
	if err != nil {
		return path
	}
	return before + string([]byte{byte(code)}) + unescapeMount(after[3:])
}

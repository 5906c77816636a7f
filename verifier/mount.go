package verifier

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// mountTable lists the mounts of this process (proc_pid_mountinfo(5)), on Linux only.
const mountTable = "/proc/self/mountinfo"

// immutableReason detects a file that is mounted with subPath. A kubelet does not update such a mount, so new keys
// and revocations would never arrive.
func (f *fileReader) immutableReason() string {
	found, err := identify(f.path)
	if err != nil {
		return ""
	}
	table, err := os.ReadFile(mountTable)
	if err != nil {
		return ""
	}
	return immutableMountReason(string(table), found.path)
}

// immutableMountReason examines the mount of path, which must have no symbolic links. It cannot change if only the
// file itself is mounted, or one version of a volume, in a directory whose name begins with two dots.
func immutableMountReason(table, path string) string {
	longest, root := "", ""
	lines := bufio.NewScanner(strings.NewReader(table))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		point := unescapeMount(fields[4])
		if contains(point, path) && len(point) >= len(longest) { // of two mounts at one mount point, the later hides the other
			longest, root = point, unescapeMount(fields[3])
		}
	}
	if longest == path {
		return "the file is mounted by itself, as with subPath: mount its directory"
	}
	for _, name := range strings.Split(root, "/") {
		if strings.HasPrefix(name, "..") {
			return "only one version of its volume is mounted, as with subPath: mount the whole volume"
		}
	}
	return ""
}

// contains reports whether path is directory or lies in it.
func contains(directory, path string) bool {
	return path == directory || strings.HasPrefix(path, strings.TrimSuffix(directory, "/")+"/")
}

// unescapeMount decodes octal escapes in a path of the mount table.
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

package verifier

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A mount table as the pods of a cluster have it; the lines are those that matter here.
const podMounts = `1 0 0:1 / / rw - overlay overlay rw
2 1 0:2 / /proc rw - proc proc rw
3 1 0:3 / /whole ro - tmpfs tmpfs rw
4 1 0:3 /..2026_11_24_02_12_01.7/main.json /alone/main.json ro - tmpfs tmpfs rw
5 1 0:3 /..2026_11_24_02_12_01.7/sub /directory ro - tmpfs tmpfs rw
6 1 8:1 /var/lib/kubelet/pods/1/volumes/kubernetes.io~configmap/keys/..2026_11_24_02_12_01.7 /disk ro - ext4 /dev/sda rw
7 1 0:3 / /with\040space ro - tmpfs tmpfs rw
8 1 0:3 /..2026_11_24_02_12_01.7/x /hidden rw - tmpfs tmpfs rw
9 1 0:3 / /hidden rw - tmpfs tmpfs rw
10 1 0:3 /main.json /with\040space/al\134one\011/main.json ro - tmpfs tmpfs rw
short line
`

func TestFrozenMount(t *testing.T) {
	for path, frozen := range map[string]bool{
		"/whole/..2026_11_24_02_12_01.7/main.json":      false,
		"/whole/..2026_11_24_02_12_02.8/main.json":      false,
		"/alone/main.json":                              true,
		"/alone/main.jsonx":                             false,
		"/alone/other.json":                             false,
		"/directory/main.json":                          true,
		"/directory2/main.json":                         false,
		"/disk/main.json":                               true,
		"/with space/..2026_11_24_02_12_01.7/main.json": false,
		"/with space/al\\one\t/main.json":               true,
		"/hidden/main.json":                             false,
		"/etc/main.json":                                false,
		"/..data/main.json":                             false,
	} {
		if got := immutableMountReason(podMounts, path); (got != "") != frozen {
			t.Errorf("%s: got %q", path, got)
		}
	}
	for escaped, want := range map[string]string{`a\040b`: "a b", `\134\134`: `\\`, `\`: `\`, `a\9`: `a\9`, `a\999`: `a\999`} {
		if got := unescapeMount(escaped); got != want {
			t.Errorf("%s: got %q", escaped, got)
		}
	}
}

// A real mount of one file, as subPath makes it, in a mount namespace of the test's own.
func TestSubPathIsSaid(t *testing.T) {
	const child = "KEYWRIGHT_MOUNT_TEST"
	if directory := os.Getenv(child); directory != "" {
		f := follow(t, filepath.Join(directory, "pod", "main.json"))
		if f.log.count("will never change") != 1 {
			t.Errorf("a file that is mounted alone: %s", f.log.text.String())
		}
		if other := follow(t, filepath.Join(directory, "volume", "main.json")); other.log.count("will never change") != 0 {
			t.Errorf("a whole volume: %s", other.log.text.String())
		}
		return
	}
	directory := t.TempDir()
	mounted := newVolume(t, setOf(esKey().jwk()))
	must(0, os.Rename(mounted.Directory, filepath.Join(directory, "volume")))
	must(0, os.Mkdir(filepath.Join(directory, "pod"), 0o755))
	must(0, os.WriteFile(filepath.Join(directory, "pod", "main.json"), nil, 0o644))
	script := `mount --bind "$0/volume/..data/main.json" "$0/pod/main.json" || exit 77; exec "$1" -test.run='^TestSubPathIsSaid$' -test.v`
	command := exec.Command("sh", "-c", script, directory, os.Args[0])
	command.Env = append(os.Environ(), child+"="+directory)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Getuid() != 0 {
		command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := command.CombinedOutput()
	if command.ProcessState == nil || command.ProcessState.ExitCode() == 77 {
		t.Skipf("this kernel lets nobody here mount anything: %v\n%s", err, out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSubPathIsSaid") {
		t.Errorf("%v\n%s", err, out)
	}
}

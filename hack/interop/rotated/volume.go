package rotated

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// Volume is a mounted ConfigMap with one key set, and the revocation list beside it.
type Volume struct {
	t      *testing.T
	volume verifiertest.Volume
	// list is the revocation list beside the key set.
	list []byte
}

func newVolume(t *testing.T) *Volume {
	t.Helper()
	v := &Volume{t: t, volume: verifiertest.Volume{Directory: t.TempDir()}, list: issuerfiles.Revoked{}.Encode()}
	check(t, os.Chmod(v.volume.Directory, 0o755)) // servers that give up their rights read it
	return v
}

// File is main.json, as a pod names it.
func (v *Volume) File() string { return v.volume.Path("main.json") }

// Revoked is main.revoked, as a pod names it.
func (v *Volume) Revoked() string { return v.volume.Path("main.revoked") }

// Directory is the mount.
func (v *Volume) Directory() string { return v.volume.Directory }

// Write replaces the content, whether it is a key set or not.
func (v *Volume) Write(content []byte) {
	v.t.Helper()
	check(v.t, v.volume.Write(map[string][]byte{"main.json": content, "main.revoked": v.list}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func contains(list []string, one string) bool { return slices.Contains(list, one) }

func segments(token string) []string { return strings.Split(token, ".") }

package verifiertest

import "github.com/keywright/keywright/verifier/internal/mounted"

// Volume is a directory into which a ConfigMap or a Secret is mounted as a projected volume. Write changes it as a kubelet does: all
// files of one version, or of the next. The zero Volume with a Directory is empty.
type Volume = mounted.Volume

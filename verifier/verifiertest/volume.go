package verifiertest

import "github.com/keywright/keywright/verifier/internal/mounted"

// Volume is a projected volume with the files of a ConfigMap or a Secret. Write changes it atomically, as a kubelet
// does. The zero Volume with a Directory is empty.
type Volume = mounted.Volume

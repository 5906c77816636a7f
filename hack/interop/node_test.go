package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// nodeDriver asks the example's verify about each line.
const nodeDriver = `
import { createInterface } from 'node:readline'
import { verify } from './example.mjs'
import { checkEnded } from './ended.mjs'
for await (const token of createInterface({ input: process.stdin })) {
  try { const claims = await verify(token); checkEnded(claims); console.log('ok ' + claims.sub) } catch (error) { console.log('no ' + String(error).split('\n')[0]) }
}
`

func TestNode(t *testing.T) {
	node := runtime(t, "node", "Node 20 or newer")
	modules, err := filepath.Abs("node_modules")
	check(t, err)
	if _, err := os.Stat(modules); err != nil {
		missing(t, "hack/interop/node_modules", "it with `npm --prefix hack/interop install`, as `make interop` does")
	}
	for _, name := range []string{"node-jose", "node-jsonwebtoken"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rotated.New(t, "ES256")
			directory := write(t, map[string]string{"example.mjs": example(t, name, mounted, w.Volume.File()), "main.mjs": nodeDriver, "ended.mjs": ended(t, w, "node-ended")})
			check(t, os.Symlink(modules, filepath.Join(directory, "node_modules")))
			out, err := exec.Command(node, "--version").Output()
			check(t, err)
			t.Logf("Node %s", out)
			w.Tell(t, start(t, directory, node, "main.mjs"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
		})
	}
}

package interop

import (
	"os/exec"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

const pythonDriver = `
import sys
from example import verify
from ended import check_ended
for token in sys.stdin:
    try:
        claims = verify(token.rstrip("\n"))
        check_ended(claims)
        print("ok", claims["sub"], flush=True)
    except ValueError as error:
        print("no", repr(error), flush=True)
    except Exception as error:
        print("broken", repr(error), flush=True)
`

// Debian's packages are for Debian's Python, which need not be the first on the path.
const debianPython = "/usr/bin/python3"

func TestPython(t *testing.T) {
	for name, module := range map[string]string{"python-pyjwt": "jwt", "python-authlib": "authlib", "python-jwcrypto": "jwcrypto"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := exec.Command(debianPython, "-c", "import cryptography, "+module).Run(); err != nil {
				missing(t, "Python's module "+module, "python3-jwt, python3-authlib, python3-jwcrypto and python3-cryptography")
			}
			w := rotated.New(t, "ES256")
			directory := write(t, map[string]string{"example.py": example(t, name, mounted, w.Volume.File()), "main.py": pythonDriver, "ended.py": ended(t, w, "python-ended")})
			w.Tell(t, start(t, directory, debianPython, "main.py"), rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: time.Second})
		})
	}
}

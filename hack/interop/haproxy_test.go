package interop

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// backend is what stands behind a proxy: it answers with the subject that the proxy tells it.
func backend(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("hello " + r.Header.Get("X-Subject")))
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	runtime(t, "haproxy", "haproxy")
	if err := exec.Command(debianPython, "-c", "import jwcrypto").Run(); err != nil {
		missing(t, "Python's module jwcrypto", "python3-jwcrypto")
	}
	w := rotated.New(t, "ES256")
	port := freePort(t)
	output := t.TempDir()
	directory := write(t, map[string]string{
		"haproxy.cfg.in": example(t, "haproxy-config", "bind :8080", "bind 127.0.0.1:"+port, "127.0.0.1:9000", backend(t), "/run/haproxy", output),
	})
	program := write(t, map[string]string{"keys.py": example(t, "haproxy-keys", mounted, w.Volume.File(), "/var/run/keywright/jwks/main.revoked", w.Volume.Revoked(),
		"/etc/haproxy/haproxy.cfg.in", filepath.Join(directory, "haproxy.cfg.in"), "/run/haproxy", output)})
	s := serve(t, "http://127.0.0.1:"+port+"/", debianPython, filepath.Join(program, "keys.py"))
	w.Tell(t, s, rotated.Promises{ChecksType: true, KeepsTheLastSet: true, EndsEarly: true, Reload: 2 * time.Second})
}

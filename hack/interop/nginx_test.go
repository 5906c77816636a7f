package interop

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

func TestNginx(t *testing.T) {
	t.Parallel()
	const module = "/usr/lib/nginx/modules/ngx_http_js_module.so"
	if _, err := os.Stat(module); err != nil {
		missing(t, "njs", "nginx and libnginx-mod-http-js")
	}
	nginx := runtime(t, "nginx", "nginx")
	w := rotated.New(t, "ES256")
	port := freePort(t)
	directory := write(t, map[string]string{"keywright.js": example(t, "nginx-njs", filepath.Dir(mounted), w.Volume.Directory())})
	config := example(t, "nginx-config", "modules/ngx_http_js_module.so", module, "/etc/nginx/njs", directory,
		"listen 8080", "listen 127.0.0.1:"+port, "127.0.0.1:9000", backend(t))
	// What Debian's own configuration would say: places that a test may write to.
	if os.Getuid() == 0 {
		config = "user root;\n" + config // workers read the files of the test
	}
	config = "daemon off;\nerror_log stderr info;\npid " + directory + "/nginx.pid;\n" + config
	check(t, os.WriteFile(filepath.Join(directory, "nginx.conf"), []byte(config), 0o600))
	s := serve(t, "http://127.0.0.1:"+port+"/orders", nginx, "-p", directory, "-c", filepath.Join(directory, "nginx.conf"))
	w.Tell(t, s, rotated.Promises{ChecksType: true, EndsEarly: true, Reload: time.Second})
}

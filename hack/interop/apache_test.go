package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/hack/interop/rotated"
)

// apacheBase is what Debian's own configuration would add: modules and places.
const apacheBase = `
ServerRoot "$directory"
ServerName localhost
PidFile "$directory/httpd.pid"
ErrorLog /dev/stderr
LogLevel warn
DefaultRuntimeDir "$directory"
Mutex file:$directory default
Listen 127.0.0.1:$port
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authn_core_module $modules/mod_authn_core.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule authz_host_module $modules/mod_authz_host.so
LoadModule alias_module $modules/mod_alias.so
LoadModule headers_module $modules/mod_headers.so
LoadModule proxy_module $modules/mod_proxy.so
LoadModule proxy_http_module $modules/mod_proxy_http.so
LoadModule oauth2_module $modules/mod_oauth2.so
`

func TestApache(t *testing.T) {
	t.Parallel()
	const modules = "/usr/lib/apache2/modules"
	if _, err := os.Stat(modules + "/mod_oauth2.so"); err != nil {
		missing(t, "mod_oauth2", "apache2 and libapache2-mod-oauth2")
	}
	apache := runtime(t, "apache2", "apache2")
	w := rotated.New(t, "ES256")
	port, jwksPort := freePort(t), freePort(t)
	directory := t.TempDir()
	base := strings.NewReplacer("$directory", directory, "$port", port, "$modules", modules).Replace(apacheBase)
	config := base + example(t, "apache", mounted, w.Volume.File(), filepath.Dir(mounted), w.Volume.Directory(), "127.0.0.1:8081", "127.0.0.1:"+jwksPort,
		"127.0.0.1:9000", backend(t))
	check(t, os.WriteFile(filepath.Join(directory, "httpd.conf"), []byte(config), 0o600))
	s := serve(t, "http://127.0.0.1:"+port+"/orders", apache, "-X", "-f", filepath.Join(directory, "httpd.conf"))
	w.Tell(t, s, rotated.Promises{Reload: 10 * time.Second})
}

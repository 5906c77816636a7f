package docs

import (
	"strings"
	"testing"
)

// Envoy's jwt_authn reads a local key set once, so an example that names one goes on with revoked keys. docs/verifying/envoy.md says what was
// read. An example of the filter fetches the keys, beside the requests, and forgets no later than after 30 s.
func TestEnvoyFetchesKeys(t *testing.T) {
	examples := 0
	for _, page := range read(t) {
		for _, b := range page.Blocks {
			if strings.Contains(b.Text, "local_jwks") {
				t.Errorf("%s:%d: local_jwks is never read again", page.Path, b.Line)
			}
			if !strings.Contains(b.Text, "envoy.filters.http.jwt_authn") {
				continue
			}
			examples++
			for _, needed := range []string{"remote_jwks:", "async_fetch:", "cache_duration: 30s"} {
				if !strings.Contains(b.Text, needed) {
					t.Errorf("%s:%d: the filter has no %s", page.Path, b.Line, needed)
				}
			}
			if strings.Contains(b.Text, "jwt_cache_config") {
				t.Errorf("%s:%d: a token in the cache of the filter is accepted after its key was revoked", page.Path, b.Line)
			}
		}
	}
	if examples == 0 {
		t.Error("no page has an example of the filter")
	}
}

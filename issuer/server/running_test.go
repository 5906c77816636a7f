package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

func TestReadinessFailsBeforeShutdown(t *testing.T) {
	t.Parallel() // it waits for the end of drainFor, which a busy machine must not miss
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "server:", "server:\n  drainFor: 5s", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	w.client.Transport.(*http.Transport).DisableKeepAlives = false
	if r := w.get(w.base + "/jwks"); r.closes {
		t.Error("connections are not kept")
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.until("not ready", func() bool { return w.get(w.probes+"/readyz").status == http.StatusServiceUnavailable })
	r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret))
	if r.status != http.StatusOK {
		t.Errorf("it is not ready, and answers no more: %d", r.status)
	}
	if r := w.get(w.base + "/jwks"); !r.closes {
		t.Errorf("clients are not asked to connect elsewhere: %v", r.header)
	}
	w.must(<-stopped)
	if _, err := w.client.Get(w.base + "/jwks"); err == nil {
		t.Error("it answers although it has stopped")
	}
}

func TestAnOldKeySignsAndIsReported(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	files := keyFiles(t, "ES256", newKey(t))
	w.jwks = files["jwks.json"]
	files["policy.json"] = encoded(issuerfiles.Policy{
		SigningKey: "platform", Algorithm: "ES256", MaxLifetime: 10 * time.Minute, NextRotation: time.Now().Add(-2 * time.Hour),
	})
	w.keys.write(files)
	w.start()
	w.verify(w.post(alice()).fields["access_token"].(string), audience)
	if metrics := w.get(w.probes + "/metrics").body; !strings.Contains(metrics, "keywright_issuer_signing_key_overdue 1") {
		t.Error("the metric does not say it")
	}
	w.until("said in the log", func() bool { return strings.Contains(w.log.String(), "more than an hour overdue") })
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusOK {
		t.Errorf("/readyz: %d", r.status)
	}
}

func TestProfilesOnRequestOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.get(w.probes + "/debug/pprof/"); r.status != http.StatusNotFound {
		t.Errorf("by default: %d", r.status)
	}
	asked := prepare(t)
	asked.settings.write(map[string]string{"issuer.yaml": strings.Replace(asked.config(), "server:", "server:\n  pprof: true", 1)})
	asked.start()
	if r := asked.get(asked.probes + "/debug/pprof/heap?debug=1"); r.status != http.StatusOK {
		t.Errorf("on request: %d", r.status)
	}
	if r := asked.get(asked.base + "/debug/pprof/"); r.status != http.StatusNotFound {
		t.Errorf("on the public listener: %d", r.status)
	}
}

func TestOtherGrantsGoOnWhileTheDirectoryIsDown(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.users.write(map[string]string{"password": "x"})
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "{file: "+w.users.Directory+"/users.yaml}",
		"{ldap: {url: 'ldaps://127.0.0.1:1', bindDN: cn=x, bindPasswordFile: "+w.users.Directory+"/password, users: {baseDN: x, filter: '(uid={name})', subject: entryUUID}}}", 1)})
	w.useKey("ES256", newKey(t))
	w.start()
	r := w.post(alice())
	if r.status != http.StatusServiceUnavailable || r.fields["error"] != "temporarily_unavailable" || r.header.Get("Retry-After") == "" {
		t.Errorf("%d %s %v", r.status, r.body, r.header)
	}
	if r := w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret)); r.status != http.StatusOK {
		t.Errorf("another grant: %d %s", r.status, r.body)
	}
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusOK {
		t.Errorf("/readyz: %d", r.status)
	}
}

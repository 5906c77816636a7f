package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/issuer/server"
)

func TestNewKeySignsAfterTheSwap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.verify(w.post(alice()).fields["access_token"].(string), audience).KeyID()
	w.useKey("ES256", newKey(t))
	var now string
	w.until("a token of the new key", func() bool {
		r := w.post(alice())
		now = w.keyIDOf(r.fields["access_token"].(string))
		return now != first
	})
	w.verify(w.post(alice()).fields["access_token"].(string), audience)
}

func TestWhatIsBrokenIsReportedAndTheLastGoodStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.keys.files
	other := keyFiles(t, "ES256", newKey(t))
	certificate := w.cert.files
	with := func(name, content string) map[string]string {
		files := map[string]string{}
		for k, v := range good {
			files[k] = v
		}
		files[name] = content
		return files
	}
	for name, c := range map[string]struct {
		volume *volume
		files  map[string]string
		source string
	}{
		"policy not JSON":                    {w.keys, with(contract.PolicyFile, "{"), "signingKey"},
		"policy of another alg":              {w.keys, with(contract.PolicyFile, policy("ES384")), "signingKey"},
		"policy without lifetime":            {w.keys, with(contract.PolicyFile, `{"algorithm":"ES256"}`), "signingKey"},
		"key not JSON":                       {w.keys, with(contract.ActiveFile, "x"), "signingKey"},
		"key not published":                  {w.keys, with(contract.ActiveFile, other[contract.ActiveFile]), "signingKey"},
		"key with another kid":               {w.keys, with(contract.ActiveFile, strings.Replace(good[contract.ActiveFile], `"kid":"`, `"kid":"x`, 1)), "signingKey"},
		"public key as the key":              {w.keys, with(contract.ActiveFile, strings.TrimSuffix(strings.TrimPrefix(good[contract.JWKSFile], `{"keys":[`), `]}`)), "signingKey"},
		"private key in the JWKS":            {w.keys, with(contract.JWKSFile, `{"keys":[`+good[contract.ActiveFile]+`]}`), "signingKey"},
		"symmetric key in the JWKS":          {w.keys, with(contract.JWKSFile, strings.Replace(good[contract.JWKSFile], "[", `[{"kty":"oct","k":"AAAA","kid":"x","alg":"HS256","use":"sig"},`, 1)), "signingKey"},
		"two keys of one kid":                {w.keys, with(contract.JWKSFile, strings.Replace(good[contract.JWKSFile], "[", "["+strings.TrimSuffix(strings.TrimPrefix(good[contract.JWKSFile], `{"keys":[`), `]}`)+",", 1)), "signingKey"},
		"users not YAML":                     {w.users, map[string]string{"users.yaml": "\t"}, "users"},
		"users with a bad hash":              {w.users, map[string]string{"users.yaml": usersFile("- {name: x, subject: x, passwordHash: plain}\n")}, "users"},
		"configuration unreadable":           {w.settings, map[string]string{"issuer.yaml": "kind: x"}, "configuration"},
		"configuration that needs a restart": {w.settings, map[string]string{"issuer.yaml": strings.Replace(w.config(), issuerURL, "https://other.example.com", 1)}, "configuration"},
		"certificate not PEM":                {w.cert, map[string]string{"tls.crt": "x", "tls.key": "y"}, "certificate"},
	} {
		before := w.log.String()
		c.volume.write(c.files)
		w.until(name+" reported", func() bool {
			return strings.Contains(w.log.String()[len(before):], `"source":"`+c.source+`"`) &&
				strings.Contains(w.get(w.probes+"/metrics").body, `keywright_issuer_source_failing{source="`+c.source+`"} 1`)
		})
		if r := w.post(alice()); r.status != http.StatusOK {
			t.Errorf("%s: the last good one did not stay: %d %s", name, r.status, r.body)
		}
		w.keys.write(good)
		w.users.write(map[string]string{"users.yaml": usersFile("")})
		w.settings.write(map[string]string{"issuer.yaml": w.config()})
		w.cert.write(certificate)
		w.until("all good again after "+name, func() bool {
			return strings.Contains(w.get(w.probes+"/metrics").body, `source_failing{source="`+c.source+`"} 0`)
		})
	}
}

// manyFailures lets a test log in until it is let in: by default the sixth try waits for 10 s.
const manyFailures = "login: {failuresPerUser: {burst: 5000, every: 1s}, failuresPerNetwork: {burst: 5000, every: 1s}}\n"

func TestUsersAndClientsAreReloaded(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	config := manyFailures + w.config()
	w.settings.write(map[string]string{"issuer.yaml": config})
	w.useKey("ES256", newKey(t))
	w.start()
	w.users.write(map[string]string{"users.yaml": strings.Replace(usersFile(""), "disabled: true", "disabled: false", 1)})
	w.until("bob enabled", func() bool {
		return w.post(form("grant_type", "password", "client_id", "web", "username", "bob", "password", password)).status == 200
	})
	w.settings.write(map[string]string{"issuer.yaml": config + "- {id: new, public: true, grantTypes: [password]}\n"})
	w.until("a new client", func() bool {
		return w.post(form("grant_type", "password", "client_id", "new", "username", "alice", "password", password)).status == 200
	})
}

func TestCertificateIsReloaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old := w.client
	w.useCertificate()
	w.until("the new certificate", func() bool {
		r, err := w.client.Get(w.base + "/jwks")
		if err == nil {
			_ = r.Body.Close()
		}
		return err == nil
	})
	var unknown *tls.CertificateVerificationError
	if r, err := old.Get(w.base + "/jwks"); !errors.As(err, &unknown) {
		t.Errorf("the old certificate is still served: %v %v", r, err)
	}
}

func TestKeyMayComeLater(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.start()
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", r.status)
	}
	if r := w.post(alice()); r.status != http.StatusServiceUnavailable {
		t.Errorf("/token: %d", r.status)
	}
	if r := w.get(w.probes + "/healthz"); r.status != http.StatusOK {
		t.Errorf("/healthz: %d", r.status)
	}
	w.useKey("ES256", newKey(t))
	w.until("ready", func() bool { return w.get(w.probes+"/readyz").status == http.StatusOK })
	w.verify(w.post(alice()).fields["access_token"].(string), audience)
}

// An issuer is installed before its users are: it is ready without them, refuses logins like any other, and lets them in once the
// Secret is there. A list that was there and is gone is not an empty list.
func TestUsersMayComeLater(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": manyFailures + w.config()})
	w.useKey("ES256", newKey(t))
	w.users.write(map[string]string{})
	w.start()
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusOK {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	if r := w.post(alice()); r.status != http.StatusBadRequest || r.fields["error"] != "invalid_grant" {
		t.Errorf("a login without users: %d %s", r.status, r.body)
	}
	if !strings.Contains(w.log.String(), "The list of users does not exist yet") ||
		!strings.Contains(w.get(w.probes+"/metrics").body, `keywright_issuer_source_failing{source="users"} 0`) {
		t.Errorf("the log does not say that there are no users, or it counts as a failure:\n%s", w.log)
	}
	w.users.write(map[string]string{"users.yaml": usersFile("")})
	w.until("alice let in", func() bool { return w.post(alice()).status == http.StatusOK })
	w.users.write(map[string]string{})
	w.until("the missing list reported", func() bool {
		return strings.Contains(w.get(w.probes+"/metrics").body, `failing{source="users"} 1`)
	})
	if r := w.post(alice()); r.status != http.StatusOK {
		t.Errorf("the last good list did not stay: %d %s", r.status, r.body)
	}
}

// A path with a typing error is not a list that comes later.
func TestUsersInNoDirectoryAreAnError(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": strings.Replace(w.config(), "/users.yaml", "/user/users.yaml", 1)})
	_, err := server.New(t.Context(), server.Options{
		ConfigFile: filepath.Join(w.settings.Directory, "issuer.yaml"), Now: time.Now, HashSlots: 1, HashMemory: 1 << 30,
		Log: slog.New(slog.DiscardHandler), Audit: io.Discard,
	})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it starts: %v", err)
	}
}

func TestDeletedMountKeepsTheLastGoodKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keys.write(map[string]string{})
	w.until("reported", func() bool {
		return strings.Contains(w.get(w.probes+"/metrics").body, `failing{source="signingKey"} 1`)
	})
	w.verify(w.post(alice()).fields["access_token"].(string), audience)
}

func TestRequestInFlightIsFinished(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			w := newWorld(t)
			if protocol == "HTTP/2.0" {
				w.useHTTP2()
			}
			body, feed := io.Pipe()
			inFlight := make(chan struct{})
			trace := &httptrace.ClientTrace{Got100Continue: func() { close(inFlight) }}
			req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost, w.base+"/token", body)
			w.must(err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Expect", "100-continue") // answered when the issuer begins to read the body
			w.client.Transport.(*http.Transport).ExpectContinueTimeout = patience
			answered := make(chan reply, 1)
			go func() { defer close(answered); answered <- w.send(req) }()
			<-inFlight
			stopped := make(chan error, 1)
			go func() { stopped <- w.stop() }()
			w.until("stopping", func() bool { return strings.Contains(w.log.String(), `"Stopping"`) })
			_, err = io.WriteString(feed, alice())
			w.must(err)
			w.must(feed.Close())
			if r := <-answered; r.status != http.StatusOK || r.proto != protocol {
				t.Errorf("%s %d %s", r.proto, r.status, r.body)
			}
			w.must(<-stopped)
		})
	}
}

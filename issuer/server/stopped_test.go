package server_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
)

// wantStopped checks that nothing is signed, and that keys are served all the same.
func (w *world) wantStopped(why string) {
	w.Helper()
	w.until("503", func() bool { return w.post(alice()).status == http.StatusServiceUnavailable })
	r := w.post(alice())
	if r.fields["error"] != "temporarily_unavailable" || r.header.Get("Retry-After") == "" {
		w.Errorf("%d %s %v", r.status, r.body, r.header)
	}
	if r := w.get(w.base + "/jwks"); r.status != http.StatusOK || !strings.Contains(r.body, `"kid"`) {
		w.Errorf("/jwks: %d %s", r.status, r.body)
	}
	if r := w.get(w.base + "/.well-known/openid-configuration"); r.status != http.StatusOK || !strings.Contains(r.body, `"ES256"`) {
		w.Errorf("the metadata: %d %s", r.status, r.body)
	}
	if r := w.get(w.probes + "/readyz"); r.status != http.StatusOK {
		w.Errorf("/readyz: %d: nobody could read /jwks", r.status)
	}
	if !strings.Contains(w.log.String(), why) {
		w.Errorf("the log does not say %q:\n%s", why, w.log)
	}
}

// draining takes the key to sign with out of files.
func draining(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	files = maps.Clone(files)
	delete(files, contract.ActiveFile)
	return files
}

func TestDrainingIssuerServesKeysAndIssuesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keys.write(draining(t, w.keys.files))
	w.wantStopped("is starting, draining or deleted")
}

func TestIssuerStartsWhileItsSigningKeyDrains(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.keys.write(draining(t, keyFiles(t, "ES256", newKey(t))))
	w.start()
	w.wantStopped("is starting, draining or deleted")
}

// The Secret of the issuers cannot be written: the controller names the key in the revocation list of the key namespace.
func TestRevocationListStopsTheSigning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	kid := w.keyIDOf(w.post(alice()).fields["access_token"].(string))
	w.keySets.write(map[string]string{"platform.revoked": string(issuerfiles.Revoked{KeyIDs: []string{kid}}.Encode()), "other.revoked": "x"})
	w.wantStopped("key " + kid + " is revoked")
	if served := issuerfiles.KeyIDs([]byte(w.get(w.base + "/jwks").body)); len(served) != 0 {
		t.Errorf("/jwks serves %v", served)
	}
	w.keySets.write(map[string]string{"platform.revoked": string(issuerfiles.Revoked{}.Encode())})
	files := maps.Clone(w.keys.files)
	files["policy.json"] = encoded(issuerfiles.Policy{SigningKey: "platform", Algorithm: "ES256", MaxLifetime: time.Minute})
	w.keys.write(files)
	w.until("it is read again", func() bool { return strings.Count(w.log.String(), "is revoked") > 1 })
	w.wantStopped("is revoked")
	w.useKey("ES256", newKey(t))
	w.until("the next key signs", func() bool { return w.post(alice()).status == http.StatusOK })
}

// The Secret that is mounted is not renewed: a key that was removed from the key set that services read signs no longer, until it is back.
func TestKeyThatWasRemovedFromTheKeySetDoesNotSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.keys.files[contract.JWKSFile]
	w.keySets.write(map[string]string{"platform.json": string(issuerfiles.Tombstone("ES256"))})
	w.until("it is read", func() bool { return strings.Count(w.log.String(), `"msg":"Signing"`) > 1 })
	if r := w.post(alice()); r.status != http.StatusOK {
		t.Fatalf("a key that is not there yet does not sign: %d", r.status) // the files come in any order
	}
	w.keySets.write(map[string]string{"platform.json": good})
	w.until("it is read", func() bool { return strings.Count(w.log.String(), `"msg":"Signing"`) > 2 })
	w.keySets.write(map[string]string{"platform.json": string(issuerfiles.Tombstone("ES256"))})
	w.wantStopped("was removed from the key set that services read")
	w.keySets.write(map[string]string{"platform.json": good})
	w.until("it signs again", func() bool { return w.post(alice()).status == http.StatusOK })
}

// A list that cannot be read is reported, and keeps the issuer from nothing else.
func TestBrokenRevocationListIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.keySets.write(map[string]string{"platform.revoked": `{"version":9}`})
	w.until("a report", func() bool {
		said := w.log.String()
		return strings.Contains(said, "platform.revoked cannot be read: its revocations are unknown") && strings.Contains(said, "A part of a source is invalid")
	})
	first := w.keyIDOf(w.post(alice()).fields["access_token"].(string))
	w.useKey("ES256", newKey(t))
	w.until("the next key signs", func() bool {
		return w.keyIDOf(w.post(alice()).fields["access_token"].(string)) != first
	})
}

// A newer controller writes what this issuer does not understand: the last key signs only while the files still hold it.
func TestFilesThatCannotBeReadStopTheKeyThatTheyDoNotHold(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, files map[string]string){
		"no key to sign with": func(_ *testing.T, files map[string]string) { delete(files, contract.ActiveFile) },
		"another key": func(t *testing.T, files map[string]string) {
			other := keyFiles(t, "ES256", newKey(t))
			files[contract.ActiveFile] = other[contract.ActiveFile]
			files[contract.JWKSFile] = strings.Replace(files[contract.JWKSFile], "[", "["+strings.TrimSuffix(strings.TrimPrefix(other[contract.JWKSFile], `{"keys":[`), "]}")+",", 1)
		},
		"a tombstone": func(_ *testing.T, files map[string]string) {
			files[contract.JWKSFile] = string(issuerfiles.Tombstone("ES256"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			files := maps.Clone(w.keys.files)
			files[contract.PolicyFile] = "{}"
			w.keys.write(files)
			w.until("a report", func() bool { return strings.Contains(w.log.String(), "algorithm is missing") })
			if r := w.post(alice()); r.status != http.StatusOK {
				t.Fatalf("the key that the files hold does not sign: %d", r.status)
			}
			files = maps.Clone(files)
			change(t, files)
			w.keys.write(files)
			w.wantStopped("do not contain key")
			if !json.Valid([]byte(w.get(w.base + "/jwks").body)) {
				t.Error("/jwks is no JSON")
			}
		})
	}
}

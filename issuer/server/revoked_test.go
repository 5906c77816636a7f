package server_test

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/verifier"
)

// revoke writes the files of a key with a revocation list, as the controller does.
func (w *world) revoke(key crypto.Signer, list issuerfiles.Revoked) {
	w.Helper()
	files := keyFiles(w.T, "ES256", key)
	w.jwks = files["jwks.json"]
	if list.ClockSkew == 0 {
		list.ClockSkew = time.Minute
	}
	files["revoked"] = string(list.Encode())
	w.keys.write(files)
}

func ended(claim, value string, before time.Time) issuerfiles.Revoked {
	return issuerfiles.Revoked{}.With(issuerfiles.Digest(claim, value), before)
}

// A token that a Revocation would end as soon as it is there is not given: whoever asks is told when to come again. Others are not held up.
func TestNoTokenIsRevokedAtBirth(t *testing.T) {
	t.Parallel()
	const login, client = "login", "client"
	const skew = time.Hour // longer than any machine takes
	now := time.Now()
	for name, c := range map[string]struct {
		list          issuerfiles.Revoked
		login, client int
	}{
		"nothing":                         {issuerfiles.Revoked{}, 200, 200},
		"the subject":                     {ended("sub", "8a2f", now), 503, 200},
		"the name instead of the subject": {ended("sub", "alice", now), 200, 200},
		"another subject":                 {ended("sub", "9b3e", now), 200, 200},
		"the subject long ago":            {ended("sub", "8a2f", now.Add(-2*skew)), 200, 200},
		"the client of the login":         {ended("client_id", "web", now), 503, 200},
		"the other client":                {ended("client_id", "batch", now), 200, 503},
		"the subject of a client":         {ended("sub", "client:batch", now), 200, 503},
		"everything":                      {issuerfiles.Revoked{AllBefore: now}, 503, 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := prepare(t)
			c.list.ClockSkew = skew
			w.revoke(newKey(t), c.list)
			w.start()
			for kind, want := range map[string]int{login: c.login, client: c.client} {
				asked := time.Now()
				r := w.logInAt("alice", password)
				if kind == client {
					r = w.post(form("grant_type", "client_credentials", "client_id", "batch", "client_secret", secret))
				}
				if r.status != want {
					t.Errorf("%s: %d %s", kind, r.status, r.body)
				}
				if want != http.StatusServiceUnavailable {
					continue
				}
				wait, err := strconv.Atoi(r.header.Get("Retry-After"))
				until := time.Duration(wait) * time.Second
				if end := now.Add(skew); err != nil || until < time.Until(end)-time.Second || until > end.Sub(asked)+2*time.Second || r.fields["error"] != "temporarily_unavailable" {
					t.Errorf("%s: Retry-After %q, %s", kind, r.header.Get("Retry-After"), r.body)
				}
			}
			if r := w.logInAt("alice", "wrong"); r.status != http.StatusBadRequest {
				t.Errorf("a wrong password is answered with %d %s", r.status, r.body)
			}
		})
	}
}

// When the time is over a login succeeds again, with the files that are there.
func TestLoginAfterARevocation(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.revoke(newKey(t), ended("sub", "8a2f", time.Now().Add(-55*time.Second)))
	w.start()
	w.until("a token", func() bool { return w.logInAt("alice", password).status == http.StatusOK })
}

// An exchanged token is as old as the login behind it: it carries that time, and is refused once it is ended.
func TestExchangeOfARevokedSubject(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	p := newProvider(w)
	w.settings.write(map[string]string{"issuer.yaml": p.config()})
	key := newKey(t)
	w.revoke(key, issuerfiles.Revoked{})
	w.start()
	now := time.Now()
	old := p.token(map[string]any{"iat": now.Add(-5 * time.Minute).Unix()})
	session := p.token(map[string]any{"iat": now.Unix(), "auth_time": now.Add(-5 * time.Minute).Unix()})
	timeless := p.token(nil)
	fresh := p.token(map[string]any{"iat": now.Unix()})
	for name, subject := range map[string]string{"old": old, "session": session} {
		r := p.exchange(subject)
		if r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, r.status, r.body)
		}
		var claims struct {
			AuthTime int64 `json:"auth_time"`
		}
		w.must(w.verify(r.fields["access_token"].(string), audience).Claims(&claims))
		if want := now.Add(-5 * time.Minute).Unix(); claims.AuthTime != want {
			t.Errorf("%s: auth_time is %d, want %d", name, claims.AuthTime, want)
		}
	}
	w.revoke(key, ended("sub", "them/cart", now.Add(-3*time.Minute)))
	w.until("the list to be read", func() bool { return p.exchange(old).status == http.StatusBadRequest })
	for name, c := range map[string]struct {
		subject string
		status  int
	}{"old": {old, 400}, "a new token of an old session": {session, 400}, "without a time": {timeless, 400}, "fresh": {fresh, 200}} {
		if r := p.exchange(c.subject); r.status != c.status || c.status == 400 && r.fields["error"] != "invalid_request" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

// What ended is heard of whichever file can be read: the Secret's list while its other files are broken, or the one beside the key set.
func TestRevocationsAreReadDespiteOtherInvalidFiles(t *testing.T) {
	t.Parallel()
	for name, hear := range map[string]func(w *world, files map[string]string, list string){
		"the Secret beside a broken policy": func(w *world, files map[string]string, list string) {
			files["policy.json"], files["revoked"] = "{", list
			w.keys.write(files)
		},
		"the one beside the key set": func(w *world, _ map[string]string, list string) {
			w.keySets.write(map[string]string{"platform.revoked": list, "platform.json": w.jwks})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := prepare(t)
			files := keyFiles(t, "ES256", newKey(t))
			w.jwks = files["jwks.json"]
			w.keys.write(files)
			w.keySets.write(map[string]string{"platform.revoked": string(issuerfiles.Revoked{}.Encode()), "platform.json": w.jwks})
			w.start()
			if r := w.logInAt("alice", password); r.status != http.StatusOK {
				t.Fatalf("%d %s", r.status, r.body)
			}
			list := ended("sub", "8a2f", time.Now())
			list.ClockSkew = time.Minute
			hear(w, files, string(list.Encode()))
			w.until("the list to be read", func() bool { return w.logInAt("alice", password).status == http.StatusServiceUnavailable })
			if r := w.logInAt("carol", password); r.status != http.StatusOK {
				t.Errorf("another user: %d %s", r.status, r.body)
			}
		})
	}
}

// getRevoked asks for the revocation list.
func (w *world) getRevoked(edit ...func(*http.Request)) reply {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.base+"/revoked", nil)
	w.must(err)
	for _, f := range edit {
		f(req)
	}
	return w.send(req)
}

// reader is the configuration of a client that may read the list.
func reader() string {
	return fmt.Sprintf("- {id: edge, secretSHA256: %x, revocationList: true}\n", sha256.Sum256([]byte(secret)))
}

func as(client, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(client, secret) }
}

// A service outside the cluster reads the list with the keys, as a client that may.
func TestRevocationListEndpoint(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + reader()})
	key := newKey(t)
	w.revoke(key, issuerfiles.Revoked{})
	w.start()
	secretFile := filepath.Join(t.TempDir(), "secret")
	w.must(os.WriteFile(secretFile, []byte(secret+"\n"), 0o600))
	v, err := verifier.New(verifier.Config{
		Issuers: map[string]verifier.Source{
			issuerURL: verifier.HTTPS(w.base+"/jwks", w.client, verifier.WithRevocations(w.base+"/revoked", "edge", secretFile)),
		},
		Audience: audience, PollInterval: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	})
	w.must(err)
	t.Cleanup(v.Close)
	token, _ := w.logInAt("alice", password).fields["access_token"].(string)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	w.revoke(key, ended("sub", "8a2f", time.Now()))
	w.until("the token to end", func() bool {
		_, err := v.Verify(t.Context(), token)
		return errors.Is(err, verifier.ErrRevoked)
	})

	got := w.getRevoked(as("edge", secret))
	if got.status != http.StatusOK || got.body != w.keys.files["revoked"] || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	again := w.getRevoked(as("edge", secret), func(r *http.Request) { r.Header.Set("If-None-Match", got.header.Get("ETag")) })
	if again.status != http.StatusNotModified || again.body != "" {
		t.Errorf("what has not changed is answered with %d", again.status)
	}
}

// Who is thrown out is nobody else's business.
func TestRevocationListIsForItsReadersOnly(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + reader()})
	w.revoke(newKey(t), ended("sub", "8a2f", time.Now()))
	w.start()
	for name, c := range map[string]struct {
		edit   func(*http.Request)
		status int
		code   string
	}{
		"nobody":                {func(*http.Request) {}, 401, "invalid_client"},
		"a wrong secret":        {as("edge", "wrong"), 401, "invalid_client"},
		"an unknown client":     {as("nobody", secret), 401, "invalid_client"},
		"a public client":       {as("web", ""), 403, "unauthorized_client"},
		"a client that may not": {as("batch", secret), 403, "unauthorized_client"},
		"a token":               {func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, 401, "invalid_client"},
		"two at once":           {func(r *http.Request) { r.Header["Authorization"] = []string{"Basic x", "Basic x"} }, 401, "invalid_client"},
	} {
		r := w.getRevoked(c.edit)
		if r.status != c.status || r.fields["error"] != c.code || strings.Contains(r.body, "ended") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if audit := w.audit.String(); strings.Count(audit, `"msg":"Revocation list request"`) != 7 || strings.Contains(audit, secret) {
		t.Errorf("the audit log has\n%s", audit)
	}
	if r := w.post(form("grant_type", "client_credentials", "client_id", "edge", "client_secret", secret)); r.fields["error"] != "unauthorized_client" {
		t.Errorf("a reader gets a token: %s", r.body)
	}
	for range 10 { // as at the token endpoint, five at once
		w.getRevoked(as("edge", "wrong"))
	}
	if r := w.getRevoked(as("edge", secret)); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("after many wrong secrets: %d %s", r.status, r.body)
	}
}

// Before a key set is mounted there is no list either: an empty one would say that nothing ended.
func TestNoRevocationListBeforeThereIsOne(t *testing.T) {
	t.Parallel()
	w := prepare(t)
	w.settings.write(map[string]string{"issuer.yaml": w.config() + reader()})
	w.start()
	if r := w.getRevoked(as("edge", secret)); r.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", r.status, r.body)
	}
}

package server_test

import (
	"crypto"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
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
func TestRevocationsAreHeardThoughOtherFilesAreBroken(t *testing.T) {
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

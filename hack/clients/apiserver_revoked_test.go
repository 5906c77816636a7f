package clients_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// A kube-apiserver that has read the Standby never reads the keys again after a revocation, since it knows the kid of each new
// token. A change of its configuration file, even of a comment, makes it read them.
func TestAPIServerDropsARevokedKeyWhenItsConfigurationChanges(t *testing.T) {
	t.Parallel()
	a, k := newAuthority(t), newKeyring(t)
	r := startIssuer(t, a, k, options{})
	k.prepare(t)
	until(t, "the Standby in /jwks", 10*time.Second, func() bool { return published(t, a, r.url) == 2 })
	ca, err := os.ReadFile(a.crt())
	must(t, err)
	configuration := authenticationConfiguration(r.url, string(ca))
	s := newAPIServer(t, configuration)
	accepted := func(token string) bool {
		_, err := s.whoAmI(token)
		if err != nil && !apierrors.IsUnauthorized(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	leaked := r.alice(a.client())
	until(t, "accepted", time.Minute, func() bool { return accepted(leaked) })
	k.activate(t)
	k.retire(t) // the next key signs, and the revoked one is in no file
	until(t, "signed with the next key", 20*time.Second, func() bool { return !sameKey(leaked, r.alice(a.client())) })
	next := r.alice(a.client())
	if !accepted(next) {
		t.Error("a token of the next key is refused, although the API server has read that key")
	}
	time.Sleep(31 * time.Second) // the max-age of /jwks
	if !accepted(next) || !accepted(leaked) {
		t.Error("the API server reads the keys again by itself: correct docs/apiserver.md")
	}
	must(t, os.WriteFile(s.authentication, []byte(configuration+"# main: a key was revoked\n"), 0o600))
	until(t, "the revoked key refused", 3*time.Minute, func() bool { return !accepted(leaked) })
	until(t, "the next key accepted", time.Minute, func() bool { return accepted(next) })
}

// published returns the number of keys that an issuer serves.
func published(t *testing.T, a *authority, issuer string) int {
	t.Helper()
	response, err := a.client().Get(issuer + "/jwks")
	must(t, err)
	defer func() { _ = response.Body.Close() }()
	var set struct{ Keys []json.RawMessage }
	must(t, json.NewDecoder(response.Body).Decode(&set))
	return len(set.Keys)
}

package verifier

import (
	"crypto/elliptic"
	"os"
	"strings"
	"testing"
	"time"
)

const otherIssuer = "https://other.example.com"

// twoIssuers is a Verifier for two, each with a key of its own: "es" signs for testIssuer, "ed" for otherIssuer.
func twoIssuers(t *testing.T) *follower {
	f := &follower{t: t, clock: &clock{now: testNow}, log: &log{}}
	f.Verifier = newVerifier(t, Config{
		Issuers: map[string]Source{
			testIssuer:  writeSet(t, esKey().jwk()),
			otherIssuer: writeSet(t, edwardsKey().jwk()),
		},
		Audience: testAudience, PollInterval: time.Minute, Now: f.clock.Now, Logger: f.log.logger(),
	})
	return f
}

// A key signs for its own issuer and for no other, whichever comes first.
func TestBindingsAreNeverMixed(t *testing.T) {
	f := twoIssuers(t)
	for _, row := range []struct {
		name  string
		token string
		want  error
	}{
		{"first key, first issuer", esKey().sign(esKey().header(), from(testIssuer)), nil},
		{"second key, second issuer", edwardsKey().sign(edwardsKey().header(), from(otherIssuer)), nil},
		{"first key, second issuer", esKey().sign(esKey().header(), from(otherIssuer)), ErrWrongIssuer},
		{"second key, first issuer", edwardsKey().sign(edwardsKey().header(), from(testIssuer)), ErrWrongIssuer},
		{"first key, third issuer", esKey().sign(esKey().header(), from("https://third.example.com")), ErrWrongIssuer},
		{"first key under the kid of the second", esKey().sign(edwardsKey().header(), from(otherIssuer)), ErrBadSignature},
		{"no key", otherKey().good(), ErrUnknownKey},
		{"no token", "x", ErrMalformed},
	} {
		for range 2 { // what was remembered is not mixed either
			f.verify(row.name, row.token, row.want)
		}
	}
}

// The same kid in two sets, with two keys behind it, and with one.
func TestBindingsWithTheSameKeyID(t *testing.T) {
	twin := newECKey("es", esKey().alg, elliptic.P256())
	config := testConfig(t)
	config.Issuers = map[string]Source{
		testIssuer: writeSet(t, esKey().jwk()), otherIssuer: writeSet(t, twin.jwk()), "https://third.example.com": writeSet(t, esKey().jwk()),
	}
	v := newVerifier(t, config)
	for _, issuer := range []string{testIssuer, "https://third.example.com"} {
		token := esKey().sign(goodHeader, strings.Replace(goodClaims, testIssuer, issuer, 1))
		verified, err := v.Verify(t.Context(), token)
		wantError(t, issuer, err, nil, token)
		if err == nil && verified.Issuer() != issuer {
			t.Errorf("it is from %s", verified.Issuer())
		}
	}
	token := esKey().sign(goodHeader, strings.Replace(goodClaims, testIssuer, otherIssuer, 1))
	if _, err := v.Verify(t.Context(), token); err == nil {
		t.Error("the other key of this kid signs for the issuer")
	}
}

// A token of one issuer causes no look at the keys of another that do not have its kid.
func TestKidOfAnotherIssuerCausesNoRead(t *testing.T) {
	f := twoIssuers(t)
	f.verify("first", esKey().good(), nil)
	f.verify("second", edwardsKey().sign(edwardsKey().header(), strings.Replace(goodClaims, testIssuer, otherIssuer, 1)), nil)
	for _, b := range f.issuerVerifiers {
		if b.poller.lastRefresh.Load() != 0 {
			t.Errorf("%s was looked at", b.issuers)
		}
	}
}

func TestMaxStaleness(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := &follower{t: t, clock: &clock{now: testNow}, log: &log{}}
	f.Verifier = newVerifier(t, Config{
		Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, MaxStaleness: 5 * time.Minute,
		PollInterval: time.Minute, Now: f.clock.Now, Logger: f.log.logger(),
	})
	unseen := esKey().good // ECDSA signs with a random number: no two tokens are the same
	remembered := unseen()
	f.verify("fresh", remembered, nil)

	f.clock.advance(4 * time.Minute)
	f.poll() // unchanged, and so good for another five minutes
	f.clock.advance(time.Minute)
	mounted.update([]byte("broken"), testNow)
	f.poll()
	f.clock.advance(4 * time.Minute)
	f.verify("at the limit", unseen(), nil)
	f.clock.advance(1)
	f.verify("past the limit", unseen(), ErrStaleKeySet)
	f.verify("past the limit, remembered", remembered, ErrStaleKeySet)
	if got := recordRequest(f.Verifier, "Bearer "+remembered).StatusCode; got != 503 {
		t.Errorf("Middleware answers %d", got)
	}
	status := f.KeySets()[0]
	if age := f.clock.Now().Sub(status.Checked); age != 5*time.Minute+1 || status.Failure == "" || !status.Loaded.Equal(testNow) {
		t.Errorf("age %v, status %+v", age, status)
	}
	mounted.update(setOf(esKey().jwk()), testNow)
	f.poll()
	f.verify("readable again", remembered, nil)
	if status := f.KeySets()[0]; status.Failure != "" || !status.Checked.Equal(f.clock.Now()) || !status.Loaded.Equal(testNow) {
		t.Errorf("status %+v", status)
	}
}

func TestKeySets(t *testing.T) {
	f := twoIssuers(t)
	sets := f.KeySets()
	if len(sets) != 2 || sets[0].Issuer != testIssuer || sets[1].Issuer != otherIssuer || len(sets[0].Digest) != 16 {
		t.Errorf("got %+v", sets)
	}
	sets[0].KeyIDs[0] = "changed"
	if f.KeySets()[0].KeyIDs[0] != "es" {
		t.Error("the Verifier was changed by what KeySets returned")
	}
	f.clock.advance(time.Second)
	must(0, os.WriteFile(sets[0].Source, setOf(otherKey().jwk()), 0o644))
	f.poll()
	if now := f.KeySets()[0]; now.Digest == sets[0].Digest || now.KeyIDs[0] != "other" || !now.Loaded.Equal(f.clock.Now()) {
		t.Errorf("after a change: %+v", now)
	}
}

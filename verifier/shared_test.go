package verifier

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// from is the claims of goodClaims in the name of another issuer.
func from(issuer string) string { return strings.Replace(goodClaims, testIssuer, issuer, 1) }

// renamed is a Verifier for an issuer that is being renamed: its old iss and its new one have the same source.
func renamed(t *testing.T, source Source, more ...func(*Config)) *follower {
	t.Helper()
	f := &follower{t: t, clock: &clock{now: testNow}, log: &log{}}
	config := Config{
		Issuers: map[string]Source{testIssuer: source, otherIssuer: source}, Audience: testAudience,
		PollInterval: time.Minute, Now: f.clock.Now, Logger: f.log.logger(),
	}
	for _, change := range more {
		change(&config)
	}
	f.Verifier = newVerifier(t, config)
	return f
}

// A look that a token of one issuer causes serves the other issuer too: without it, tokens of the second would be refused
// until the next poll, since the first look forbids another one for a while.
func TestIssuersOfOneSourceShareItsLooks(t *testing.T) {
	es, next := esKey(), otherKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := renamed(t, File(mounted.path()))
	if len(f.issuerVerifiers) != 1 {
		t.Fatalf("one source is read by %d feeds", len(f.issuerVerifiers))
	}
	counted := gated(t, f.feed(), nil)
	mounted.update(setOf(es.jwk(), next.jwk()), testNow)
	for range 2 { // what is remembered is not mixed either
		for _, issuer := range []string{testIssuer, otherIssuer} {
			token := next.sign(next.header(), from(issuer))
			verified, err := f.Verify(t.Context(), token)
			wantError(t, issuer, err, nil, token)
			if err == nil && verified.Issuer() != issuer {
				t.Errorf("a token of %s is from %s", issuer, verified.Issuer())
			}
		}
	}
	f.verify("an issuer that has no keys here", next.sign(next.header(), from("https://third.example.com")), ErrWrongIssuer)
	f.verify("an unknown key, while the floor forbids a look", edwardsKey().sign(edwardsKey().header(), from(otherIssuer)), ErrUnknownKey)
	if n := counted.reads.Load(); n != 1 {
		t.Errorf("the source was read %d times", n)
	}
}

// Sources are the same when they read the same in the same way.
func TestOneFeedForEachSource(t *testing.T) {
	server := newJWKSServer(t, setOf(esKey().jwk()))
	file := writeSet(t, esKey().jwk())
	client := *server.Client()
	config := testConfig(t)
	config.Issuers = map[string]Source{
		"f": file, "a": file, "e": HTTPS(server.URL, server.Client()), "b": HTTPS(server.URL, server.Client()),
		"c": HTTPS(server.URL, &client), "d": HTTPS(server.URL+"/", server.Client()),
	}
	v := newVerifier(t, config)
	var groups []string
	for _, b := range v.issuerVerifiers {
		groups = append(groups, strings.Join(b.issuers, ""))
	}
	if diff := cmp.Diff([]string{"af", "be", "c", "d"}, groups); diff != "" {
		t.Errorf("which issuers share a feed (-want +got):\n%s", diff)
	}
	var issuers []string
	for _, set := range v.KeySets() {
		issuers = append(issuers, set.Issuer)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e", "f"}, issuers); diff != "" {
		t.Errorf("the issuers of KeySets (-want +got):\n%s", diff)
	}
}

// reads notes of which issuers an Observer hears.
type reads struct {
	noopObserver
	issuers []string
}

func (r *reads) KeySetRead(status KeySetStatus) { r.issuers = append(r.issuers, status.Issuer) }

func TestObserverIsCalledForEachIssuerOfASource(t *testing.T) {
	heard := &reads{}
	renamed(t, writeSet(t, esKey().jwk()), func(c *Config) { c.Observer = heard })
	if diff := cmp.Diff([]string{testIssuer, otherIssuer}, heard.issuers); diff != "" {
		t.Errorf("heard of (-want +got):\n%s", diff)
	}
}

// Between a caller that finds the keys without its own and the question whether it may have the source read, the look of
// somebody else may bring the key, and forbid another look.
func TestLookThatForbidsAnotherBroughtTheKey(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	var f *poller
	meanwhile := func() {}
	config := must(Config{
		Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, Logger: (&log{}).logger(),
		Now: func() time.Time { meanwhile(); return testNow },
	}.complete())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f = must(openPoller(ctx, []string{testIssuer}, File(mounted.path()), config))
	mounted.update(setOf(otherKey().jwk()), testNow)
	tried := f.current.Load()
	meanwhile = func() {
		meanwhile = func() {}
		f.poll(ctx, true)
		f.lastRefresh.Store(testNow.UnixNano())
	}
	found, _, err := f.refresh(ctx, tried)
	if err != nil || found == tried {
		t.Errorf("the caller gets the keys that it has tried: %v", err)
	}
}

// The key of a token may have come to two sources, and only one of them have been read since: that it has the key, and may
// not sign for this issuer with it, says nothing about the other source.
func TestKeyOfAnotherSourceHidesNoNewKey(t *testing.T) {
	next := otherKey()
	for name, first := range map[string]testKey{
		"the same key": next, "another key of this kid": {next.id, esKey().alg, esKey().private},
		"a key of this kid for another algorithm": {next.id, edwardsKey().alg, edwardsKey().private},
	} {
		t.Run(name, func(t *testing.T) {
			paths := [2]string{filepath.Join(t.TempDir(), "a.json"), filepath.Join(t.TempDir(), "b.json")}
			for _, path := range paths {
				must(0, os.WriteFile(path, setOf(edwardsKey().jwk()), 0o644))
			}
			f := renamed(t, nil, func(c *Config) {
				c.Issuers = map[string]Source{testIssuer: File(paths[0]), otherIssuer: File(paths[1])}
			})
			must(0, os.WriteFile(paths[0], setOf(first.jwk()), 0o644))
			must(0, os.WriteFile(paths[1], setOf(next.jwk()), 0o644))
			f.verify("a token of the first", first.sign(first.header(), goodClaims), nil)
			f.verify("an expired token of the first", first.sign(first.header(),
				replaced(t, goodClaims, `"exp":1800000600,"iat":1800000000,"nbf":1800000000`, `"exp":1`)), ErrExpired)
			if f.issuerVerifiers[1].poller.lastRefresh.Load() != 0 {
				t.Error("a token of the first had the second source read")
			}
			f.verify("a token of the second", next.sign(next.header(), from(otherIssuer)), nil)
		})
	}
}

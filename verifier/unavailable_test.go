package verifier

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wantAnswer checks what Middleware answers to a token.
func wantAnswer(t *testing.T, v *Verifier, name, token string, status int) {
	t.Helper()
	answer := recordRequest(v, "Bearer "+token)
	retry, challenge := answer.Header.Get("Retry-After"), answer.Header.Get("WWW-Authenticate")
	if answer.StatusCode != status || (status == http.StatusServiceUnavailable) != (retry == "5") ||
		(status == http.StatusUnauthorized) != (challenge != "") {
		t.Errorf("%s: %s, Retry-After %q, challenge %q", name, answer.Status, retry, challenge)
	}
}

// While the keys cannot be read, a token with a new kid is not bad: clients would throw it away. All that a key could not
// mend is refused as ever.
func TestNewKeyWhileTheKeysCannotBeRead(t *testing.T) {
	es, next := esKey(), otherKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	mounted.update([]byte("broken"), testNow)
	claims := func(old, updated string) string {
		return next.sign(next.header(), replaced(t, goodClaims, old, updated))
	}
	good := next.good()
	for _, row := range []struct {
		name, token string
		want        error
		status      int
	}{
		{"a new kid", good, ErrKeysUnavailable, 503},
		{"a new kid, again", good, ErrKeysUnavailable, 503},
		{"a new kid, signed by nobody", next.sign(next.header(), goodClaims)[:len(good)-8] + "AAAAAAAA", ErrKeysUnavailable, 503},
		{"a known kid", es.good(), nil, 200},
		{"a known kid, forged", es.good()[:len(es.good())-8] + "AAAAAAAA", ErrBadSignature, 401},
		{"expired", claims(`"exp":1800000600,"iat":1800000000,"nbf":1800000000`, `"exp":1`), ErrUnknownKey, 401},
		{"for another service", claims(testAudience, "https://billing.example.com"), ErrUnknownKey, 401},
		{"of another issuer", claims(testIssuer, otherIssuer), ErrUnknownKey, 401},
		{"of another type", next.sign(strings.Replace(next.header(), "at+jwt", "JWT", 1), goodClaims), ErrUnknownKey, 401},
		{"no claims", next.sign(next.header(), "1"), ErrUnknownKey, 401},
		{"no base64 in the claims", strings.Replace(good, ".", ".!", 1), ErrUnknownKey, 401},
		{"no base64 in the signature", good + "!", ErrUnknownKey, 401},
		{"no signature", good[:strings.LastIndexByte(good, '.')+1], ErrUnknownKey, 401},
	} {
		f.verify(row.name, row.token, row.want)
		wantAnswer(t, f.Verifier, row.name, row.token, row.status)
	}

	mounted.update(setOf(es.jwk()), testNow)
	f.poll()
	f.verify("readable again, without the key", good, ErrUnknownKey)
	mounted.update(setOf(es.jwk(), next.jwk()), testNow)
	f.clock.advance(time.Second)
	f.verify("readable again, with the key", good, nil)
}

// A source that cannot be read excuses its own issuers alone.
func TestOnlyTheIssuersOfASourceThatCannotBeRead(t *testing.T) {
	es, ed, next := esKey(), edwardsKey(), otherKey()
	broken, whole := filepath.Join(t.TempDir(), "a.json"), filepath.Join(t.TempDir(), "b.json")
	must(0, os.WriteFile(broken, setOf(es.jwk()), 0o644))
	must(0, os.WriteFile(whole, setOf(ed.jwk()), 0o644))
	f := renamed(t, nil, func(c *Config) {
		c.Issuers = map[string]Source{testIssuer: File(broken), otherIssuer: File(whole)}
	})
	must(0, os.Remove(broken))
	f.verify("a new kid of the one that is broken", next.good(), ErrKeysUnavailable)
	f.verify("a new kid of the other", next.sign(next.header(), from(otherIssuer)), ErrUnknownKey)
	f.verify("a new kid that the other has", ed.sign(ed.header(), goodClaims), ErrKeysUnavailable)
	forged := ed.sign(ed.header(), from(otherIssuer))
	f.verify("a kid that the other has, forged", forged[:len(forged)-8]+"AAAAAAAA", ErrBadSignature)
	f.verify("the other", ed.sign(ed.header(), from(otherIssuer)), nil)
}

// Keys that came after all judge a token as ever, also when the source cannot be read since.
func TestKeyThatCameBeforeTheKeysCouldNotBeRead(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	mounted.update(nil, testNow)
	f.poll()
	forged := es.good()[:len(es.good())-8] + "AAAAAAAA"
	_, err := f.issuerVerifiers[0].verifyRefreshed(t.Context(), &snapshot{}, forged, sumOf(forged), testNow)
	wantError(t, "forged", err, ErrBadSignature, forged)
}

// A flood of unknown kids gets 503 from a source that cannot be read, and no more looks at it than from any other.
func TestFloodWhileTheKeysCannotBeRead(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk()))
	f := follow(t, mounted.path())
	counted := gated(t, f.feed(), nil)
	mounted.update(nil, testNow)
	for range 1000 {
		f.verify("flood", otherKey().good(), ErrKeysUnavailable)
	}
	if n := counted.reads.Load(); n != 1 {
		t.Errorf("1000 unknown kids caused %d reads", n)
	}
	if n := f.log.count("cannot be read"); n != 1 {
		t.Errorf("the log says it %d times", n)
	}
}

package verifier

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A list counts from the moment when it is read, also for tokens that were accepted before.
func TestListIsFollowed(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	remembered := es.good()
	f.verify("without a list", remembered, nil)
	mounted.updateBoth(setOf(es.jwk()), ends("sub", "alice", testNow.Unix()))
	f.poll()
	f.verify("with a list", remembered, ErrRevoked)
	f.verify("another one with a list", es.good(), ErrRevoked)
	if status := f.KeySets()[0]; status.Revoked != 1 || status.Failure != "" {
		t.Errorf("%+v", status)
	}
	mounted.updateBoth(setOf(es.jwk()), encodeRevocationList(0, nil))
	f.poll()
	f.verify("when the entry has expired", remembered, nil)

	// What is read again and has not changed makes nothing forgotten, nor does a list that stays broken.
	before := f.current()
	f.feed().poll(t.Context(), true)
	mounted.updateBoth(setOf(es.jwk()), []byte("{"))
	f.poll()
	f.poll()
	if f.current() != before {
		t.Error("the same keys and the same list are a new generation")
	}
}

// A verifier never goes from a list to none, and what is broken keeps nothing else from being read.
func TestBrokenListKeepsTheLastOne(t *testing.T) {
	es, other := esKey(), otherKey()
	ended := ends("sub", "alice", testNow.Unix())
	for name, broken := range map[string][]byte{
		"missing":         nil,
		"no JSON":         []byte(`{"version":1`),
		"another version": []byte(`{"version":2,"ended":{}}`),
		"too long":        []byte(`{"version":1,"ended":{}` + strings.Repeat(" ", maxRevocationListBytes) + `}`),
		"empty":           {},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, nil)
			mounted.updateBoth(setOf(es.jwk()), ended)
			f := follow(t, mounted.path())
			mounted.updateBoth(setOf(es.jwk(), other.jwk()), broken)
			f.poll()
			f.wants("the keys beside a broken list", "es", "other")
			f.verify("an ended token", es.good(), ErrRevoked)
			f.verify("a token of an unknown key", es.sign(replaced(t, goodHeader, `"es"`, `"new"`), replaced(t, goodClaims, "alice", "bob")), ErrUnknownKey)
			if !strings.HasPrefix(f.KeySets()[0].Failure, "revocation list: ") || f.log.count("revocation list cannot be read") != 1 {
				t.Errorf("nobody is told: %+v, %s", f.KeySets()[0], f.log.text.String())
			}
			mounted.updateBoth(setOf(other.jwk()), broken)
			f.poll()
			f.wants("a key that left beside a broken list", "other")
		})
	}
	t.Run("at start", func(t *testing.T) {
		mounted := newVolume(t, nil)
		mounted.updateBoth(setOf(es.jwk()), []byte("{"))
		wantNoStart(t, mounted.path())
	})
}

// wantNoStart checks that New refuses a list, and says so.
func wantNoStart(t *testing.T, path string) {
	t.Helper()
	_, err := New(Config{Issuers: map[string]Source{testIssuer: File(path)}, Audience: testAudience, Logger: (&log{}).logger()})
	if err == nil || !strings.Contains(err.Error(), "revocation list: ") {
		t.Errorf("a verifier starts with a list that it cannot read: %v", err)
	}
}

// A list that cannot be opened is not one that is missing, and keeps no revoked key in use.
func TestListThatCannotBeOpened(t *testing.T) {
	es, other := esKey(), otherKey()
	for name, block := range map[string]func(path string){
		"a directory": func(path string) { must(0, os.Mkdir(path, 0o755)) },
		"a pipe":      func(path string) { must(0, syscall.Mkfifo(path, 0o644)) },
		"a loop":      func(path string) { must(0, os.Symlink(filepath.Base(path), path)) },
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			path, list := filepath.Join(directory, "main.json"), filepath.Join(directory, "main.revoked")
			must(0, os.WriteFile(path, setOf(es.jwk(), other.jwk()), 0o644))
			must(0, os.WriteFile(list, ends("sub", "alice", testNow.Unix()), 0o644))
			f := follow(t, path)
			must(0, os.Remove(list))
			block(list)
			must(0, os.WriteFile(path, setOf(other.jwk()), 0o644))
			f.poll()
			f.wants("a key was revoked meanwhile", "other")
			f.verify("an ended token", other.good(), ErrRevoked)
			if f.KeySets()[0].Failure == "" {
				t.Error("nobody is told")
			}
			wantNoStart(t, path)
		})
	}
}

// What is wrong with the key set keeps no ended token and no revoked key in use: the list is read all the same.
func TestListBesideBrokenKeys(t *testing.T) {
	es, ed := esKey(), edwardsKey()
	mounted := newVolume(t, nil)
	mounted.updateBoth(setOf(es.jwk(), ed.jwk()), encodeRevocationList(0, nil))
	f := follow(t, mounted.path())
	remembered := es.good()
	f.verify("before", remembered, nil)
	mounted.updateBoth([]byte("{"), ends("sub", "alice", testNow.Unix()))
	f.poll()
	f.verify("an ended token", remembered, ErrRevoked)
	f.verify("an ended token, of a key that may have been published", otherKey().good(), ErrUnknownKey)
	mounted.updateBoth([]byte("{"), []byte(`{"version":1,"keyIDs":["es","nobody"],"ended":{}}`))
	f.poll()
	f.wants("a key was revoked", "ed")
	f.verify("a token of another key", ed.good(), nil)
	if _, err := f.Verify(t.Context(), remembered); err == nil {
		t.Error("a token of a revoked key is accepted")
	}
	mounted.updateBoth([]byte("{"), []byte("{"))
	f.poll()
	if failure := f.KeySets()[0].Failure; !strings.Contains(failure, "; revocation list: ") {
		t.Errorf("of two failures one is told: %s", failure)
	}
}

// Keys and list are of one version of the mount. A kubelet removes the files of the last version one by one: a list that is
// missing from it says nothing, and a reader that was there too late reads the next version.
func TestListOfAnotherSwapIsNotTaken(t *testing.T) {
	es, other := esKey(), otherKey()
	mounted := newVolume(t, nil)
	mounted.updateBoth(setOf(es.jwk()), ends("sub", "alice", testNow.Unix()))
	f := &fileReader{path: mounted.path()}
	before := must(f.locate())
	if !f.isCurrent(before) {
		t.Error("what is mounted does not stand")
	}
	// The next version is mounted, and of the last one the keys are still there.
	next := mounted.Path("..next")
	must(0, os.Mkdir(next, 0o755))
	must(0, os.WriteFile(filepath.Join(next, "main.json"), setOf(other.jwk()), 0o644))
	must(0, os.WriteFile(filepath.Join(next, "main.revoked"), ends("sub", "bob", testNow.Unix()), 0o644))
	must(0, os.Remove(before.list.path))
	must(0, os.Symlink("..next", mounted.Path("..data_tmp")))
	must(0, os.Rename(mounted.Path("..data_tmp"), mounted.Path("..data")))
	half := must(f.readVersion(fileVersions{keys: before.keys}, testNow))
	if half.keySet == nil || half.revocationList != nil || f.isCurrent(before) {
		t.Errorf("the half of a version that is gone stands: %s, %s", half.keySet, half.revocationList)
	}
	whole := must(f.read(t.Context(), testNow, true))
	if string(whole.keySet) != string(setOf(other.jwk())) || string(whole.revocationList) != string(ends("sub", "bob", testNow.Unix())) {
		t.Errorf("after the swap: %s, %s", whole.keySet, whole.revocationList)
	}
}

// A reader that races with swaps never sees the keys of one version and the list of another, nor a version without its list.
func TestReaderAmongSwaps(t *testing.T) {
	mounted := newVolume(t, nil)
	content := func(n int) map[string][]byte {
		return map[string][]byte{"main.json": fmt.Appendf(nil, "%d", n), "main.revoked": fmt.Appendf(nil, "%d", n)}
	}
	mounted.check(mounted.Write(content(0)))
	f := &fileReader{path: mounted.path()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 1; n <= 200; n++ {
			if err := mounted.Write(content(n)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for reads := 0; ; reads++ {
		read, err := f.read(t.Context(), testNow, true)
		if err == nil && (read.listFailure != nil || string(read.keySet) != string(read.revocationList)) {
			t.Fatalf("read %d: keys %q, list %q, %v", reads, read.keySet, read.revocationList, read.listFailure)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// A list that is changed in place, beside a key set that is not, is seen.
func TestListInAPlainDirectory(t *testing.T) {
	es := esKey()
	directory := t.TempDir()
	path, list := filepath.Join(directory, "main.json"), filepath.Join(directory, "main.revoked")
	old := testNow.Add(-time.Hour)
	write := func(path string, content []byte) {
		must(0, os.WriteFile(path, content, 0o644))
		must(0, os.Chtimes(path, old, old))
	}
	write(path, setOf(es.jwk()))
	f := follow(t, path)
	f.verify("without a list", es.good(), nil)
	write(list, ends("sub", "alice", testNow.Unix()))
	f.poll()
	f.verify("a new list", es.good(), ErrRevoked)
	write(list, encodeRevocationList(0, nil))
	f.poll()
	f.verify("a changed list", es.good(), nil)

	// A list that was changed a moment ago may change again within one tick, as a key set may.
	for age, reads := range map[time.Duration]bool{settleTime - 1: true, settleTime: false} {
		young := must(identify(list))
		young.changed = testNow.Add(time.Hour)
		found := fileVersions{keys: must(identify(path)), list: young}
		one := &fileReader{path: path}
		must(one.readVersion(found, young.changed.Add(age)))
		if one.settled == reads {
			t.Errorf("a list that is %v old: settled %v", age, one.settled)
		}
	}
}

// The list of another SigningKey, and files of other names, say nothing.
func TestListOfAnotherSigningKey(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, nil)
	mounted.Modified = testNow
	mounted.check(mounted.Write(map[string][]byte{"main.json": setOf(es.jwk()), "other.revoked": ends("sub", "alice", testNow.Unix())}))
	follow(t, mounted.path()).verify("with the list of another", es.good(), nil)
}

// An entry leaves the list when what it names has expired by the clock skew of the SigningKey. A verifier that allows for more
// would then accept an ended token again.
func TestSkewOfTheListBoundsThatOfTheVerifier(t *testing.T) {
	es := esKey()
	for name, c := range map[string]struct {
		own  time.Duration
		list []byte
		past time.Duration // the exp
		want error
	}{
		"an entry":                              {time.Hour, ends("sub", "alice", testNow.Unix()), 59 * time.Second, ErrRevoked},
		"the entry has left, by the list's":     {time.Hour, encodeRevocationList(0, nil), 60 * time.Second, ErrExpired},
		"the entry has left, within the list's": {time.Hour, encodeRevocationList(0, nil), 59 * time.Second, nil},
		"the verifier's is shorter":             {time.Second, encodeRevocationList(0, nil), time.Second, ErrExpired},
		"the list does not say":                 {time.Hour, []byte(`{"version":1}`), 59 * time.Minute, nil},
		"there is no list":                      {time.Hour, nil, 59 * time.Minute, nil},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, nil)
			mounted.updateBoth(setOf(es.jwk()), c.list)
			now := testNow
			v := newVerifier(t, Config{
				Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, ClockSkew: c.own,
				Now: func() time.Time { return now }, Logger: (&log{}).logger(),
			})
			token := es.good()
			_, _ = v.Verify(t.Context(), token)
			now = testNow.Add(600*time.Second + c.past)
			for range 2 {
				_, err := v.Verify(t.Context(), token)
				wantError(t, name, err, c.want, token)
			}
			now = testNow.Add(-min(c.own, 10*time.Minute)) // the clock of the issuer is ahead
			if _, err := v.Verify(t.Context(), es.good()); errors.Is(err, ErrNotYetValid) {
				t.Errorf("nbf and iat: %v", err)
			}
		})
	}
}

// What a middleware and an Observer tell of an ended token.
func TestRevokedTokenIsReported(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, nil)
	mounted.updateBoth(setOf(es.jwk()), ends("jti", "id-1", testNow.Unix()))
	var heard observations
	v := newVerifier(t, Config{
		Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience,
		Now: func() time.Time { return testNow }, Observer: &heard, Logger: (&log{}).logger(),
	})
	wantAnswer(t, v, "an ended token", es.good(), 401)
	if last := heard.heard[len(heard.heard)-1]; last != "token revoked" {
		t.Errorf("the observer hears %q", last)
	}
}

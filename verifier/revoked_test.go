package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// revocationList writes a revocation list with a skew of a minute.
func revocationList(allBefore int64, ended map[[2]string]int64) []byte {
	digests := map[string]int64{}
	for named, before := range ended {
		sum := sha256.Sum256([]byte(named[0] + ":" + named[1]))
		digests[base64.RawURLEncoding.EncodeToString(sum[:])[:22]] = before
	}
	return must(json.Marshal(map[string]any{"version": 1, "keyIDs": []string{}, "clockSkewSeconds": 60, "allBefore": allBefore, "ended": digests}))
}

func ends(claim, value string, before int64) []byte {
	return revocationList(0, map[[2]string]int64{{claim, value}: before})
}

// updateBoth replaces key set and revocation list in one swap; nil takes a file away.
func (v *volume) updateBoth(keys, list []byte) {
	v.t.Helper()
	files := map[string][]byte{}
	if keys != nil {
		files["main.json"] = keys
	}
	if list != nil {
		files["main.revoked"] = list
	}
	v.Modified = testNow
	v.check(v.Write(files))
}

// What a list names is refused, and nothing else. The time of a token is its auth_time, or its iat.
func TestRevokedTokens(t *testing.T) {
	es := esKey()
	now := testNow.Unix() // the iat of good claims
	claims := func(change string) string {
		return strings.Replace(goodClaims, `"jti":"id-1"`, change, 1)
	}
	good := goodClaims
	for name, c := range map[string]struct {
		list   []byte
		claims string
		want   error
	}{
		"an empty list":                             {revocationList(0, nil), good, nil},
		"another token":                             {ends("jti", "id-2", now+1000), good, nil},
		"the token":                                 {ends("jti", "id-1", now+1000), good, ErrRevoked},
		"its subject":                               {ends("sub", "alice", now), good, ErrRevoked},
		"its subject, up to the skew before":        {ends("sub", "alice", now-60), good, ErrRevoked},
		"its subject, a second more":                {ends("sub", "alice", now-61), good, nil},
		"its subject in another case":               {ends("sub", "Alice", now), good, nil},
		"its client":                                {ends("client_id", "shop", now), good, ErrRevoked},
		"a client of the name of its subject":       {ends("client_id", "alice", now), good, nil},
		"a subject of the name of its client":       {ends("sub", "shop", now), good, nil},
		"its session":                               {ends("sid", "s-1", now+1000), claims(`"jti":"id-1","sid":"s-1"`), ErrRevoked},
		"another session":                           {ends("sid", "s-2", now+1000), claims(`"jti":"id-1","sid":"s-1"`), nil},
		"everything":                                {revocationList(now, nil), good, ErrRevoked},
		"everything, up to the skew before":         {revocationList(now-60, nil), good, ErrRevoked},
		"everything, a second more":                 {revocationList(now-61, nil), good, nil},
		"an old login behind a new token":           {ends("sub", "alice", now-300), claims(`"jti":"id-1","auth_time":` + fmt.Sprint(now-300)), ErrRevoked},
		"a login after an old one was ended":        {ends("sub", "alice", now-500), claims(`"jti":"id-1","auth_time":` + fmt.Sprint(now-300)), nil},
		"no jti under a list":                       {ends("sub", "bob", now), claims(`"x":1`), ErrRevoked},
		"no jti under an empty list":                {revocationList(0, nil), claims(`"x":1`), nil},
		"no iat under a list":                       {ends("sub", "bob", now), strings.Replace(good, `"iat":1800000000,`, "", 1), ErrRevoked},
		"no iat under a list, and an auth_time":     {ends("sub", "bob", now), strings.Replace(good, `"iat":1800000000,`, `"auth_time":1800000000,`, 1), nil},
		"a forged jti, which another key must sign": {ends("jti", "id-1", now), claims(`"jti":"id-1 "`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, nil)
			mounted.updateBoth(setOf(es.jwk()), c.list)
			f := follow(t, mounted.path())
			token := es.sign(goodHeader, c.claims)
			f.verify("the first time", token, c.want)
			f.verify("again", token, c.want)
		})
	}
}

// A list counts from the moment when it is read, also for tokens that were accepted before.
func TestListIsFollowed(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, setOf(es.jwk()))
	f := follow(t, mounted.path())
	f.verify("without a list", es.good(), nil)
	mounted.updateBoth(setOf(es.jwk()), ends("sub", "alice", testNow.Unix()))
	f.poll()
	f.verify("with a list", es.good(), ErrRevoked)
	if status := f.KeySets()[0]; status.Revoked != 1 || status.Failure != "" {
		t.Errorf("%+v", status)
	}
	mounted.updateBoth(setOf(es.jwk()), revocationList(0, nil))
	f.poll()
	f.verify("when the entry has expired", es.good(), nil)
}

// A verifier never goes from a list to none, and what is broken keeps nothing else from being read.
func TestBrokenListKeepsTheLastOne(t *testing.T) {
	es, other := esKey(), otherKey()
	ended := ends("sub", "alice", testNow.Unix())
	for name, broken := range map[string][]byte{
		"missing":         nil,
		"no JSON":         []byte(`{"version":1`),
		"another version": []byte(`{"version":2,"ended":{}}`),
		"too long":        []byte(`{"version":1,"ended":{}` + strings.Repeat(" ", maxRevokedBytes) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, nil)
			mounted.updateBoth(setOf(es.jwk()), ended)
			f := follow(t, mounted.path())
			mounted.updateBoth(setOf(es.jwk(), other.jwk()), broken)
			f.poll()
			f.wants("the keys beside a broken list", "es", "other")
			f.verify("an ended token", es.good(), ErrRevoked)
			if f.KeySets()[0].Failure == "" {
				t.Error("nobody is told")
			}
			mounted.updateBoth(setOf(other.jwk()), broken)
			f.poll()
			f.wants("a key that left beside a broken list", "other")
		})
	}
	t.Run("broken keys", func(t *testing.T) {
		mounted := newVolume(t, nil)
		mounted.updateBoth(setOf(es.jwk()), revocationList(0, nil))
		f := follow(t, mounted.path())
		mounted.updateBoth([]byte("{"), ended)
		f.poll()
		f.verify("an ended token", es.good(), ErrRevoked)
	})
	t.Run("at start", func(t *testing.T) {
		mounted := newVolume(t, nil)
		mounted.updateBoth(setOf(es.jwk()), []byte("{"))
		if _, err := New(Config{Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience}); err == nil {
			t.Error("a verifier starts with a list that it cannot read")
		}
	})
}

// Keys and list are of one version of the mount: a version that was removed while it was read has no list that is empty.
func TestListOfAnotherSwapIsNotTaken(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, nil)
	mounted.updateBoth(setOf(es.jwk()), ends("sub", "alice", testNow.Unix()))
	f := &file{path: mounted.path()}
	found := must(identify(mounted.path()))
	must(0, os.Remove(filepath.Join(filepath.Dir(found.path), "main.revoked"))) // a kubelet that removes it has got this far
	list := f.identifyList(found)
	must(0, os.RemoveAll(filepath.Dir(found.path)))
	if _, err := f.readVersion(found, list, testNow); err == nil {
		t.Error("a version was read that is being removed")
	}
	mounted.updateBoth(setOf(es.jwk(), otherKey().jwk()), ends("sub", "bob", testNow.Unix()))
	found = must(identify(mounted.path()))
	must(0, os.Remove(filepath.Join(filepath.Dir(found.path), "main.revoked")))
	if _, err := f.readVersion(found, identity{path: filepath.Join(filepath.Dir(found.path), "main.revoked")}, testNow); !errors.Is(err, errSwapped) {
		t.Errorf("the list vanished while it was read: %v", err)
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
	write(list, revocationList(0, nil))
	f.poll()
	f.verify("a changed list", es.good(), nil)
}

// The list of another SigningKey, and files of other names, say nothing.
func TestListOfAnotherSigningKey(t *testing.T) {
	es := esKey()
	mounted := newVolume(t, nil)
	mounted.Modified = testNow
	mounted.check(mounted.Write(map[string][]byte{"main.json": setOf(es.jwk()), "other.revoked": ends("sub", "alice", testNow.Unix())}))
	follow(t, mounted.path()).verify("with the list of another", es.good(), nil)
}

// While the list ends anything, a token lives no longer than the entry that may name it.
func TestSkewOfTheListBoundsThatOfTheVerifier(t *testing.T) {
	es := esKey()
	for name, c := range map[string]struct {
		list []byte
		want error
	}{"empty": {revocationList(0, nil), nil}, "one entry": {ends("sub", "bob", testNow.Unix()), ErrExpired}} {
		mounted := newVolume(t, nil)
		mounted.updateBoth(setOf(es.jwk()), c.list)
		v := must(New(Config{
			Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, ClockSkew: time.Hour,
			Now: func() time.Time { return testNow.Add(600*time.Second + 61*time.Second) },
		}))
		_, err := v.Verify(t.Context(), es.good())
		wantError(t, name, err, c.want, es.good())
		v.Close()
	}
}

func FuzzParseRevoked(f *testing.F) {
	f.Add([]byte(`{"version":1,"keyIDs":[],"clockSkewSeconds":60,"allBefore":1795600000,"ended":{"0Duy2fnvwMjO6a6vyjLxLP":1795650000}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"ended":{"0Duy2fnvwMjO6a6vyjLxLP":-1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRevoked(data)
		if err != nil {
			return
		}
		latest := int64(latestDate + int(maxClockSkew/time.Second))
		if r.allUntil < 0 || r.allUntil > latest || r.skew < 0 || r.skew > maxClockSkew {
			t.Errorf("%+v", r)
		}
		token := &Token{id: "id", subject: "alice", issuedAt: time.Unix(latest+1, 0)}
		if r.check(token) != nil {
			t.Error("a list ends what comes after all of its times")
		}
	})
}

// fullList is one of 2,000 entries, as many as a controller writes.
func fullList() []byte {
	ended := map[[2]string]int64{}
	for i := range 2000 {
		ended[[2]string{"sub", fmt.Sprint(i)}] = testNow.Unix()
	}
	return revocationList(0, ended)
}

func TestFullListTakesLittleMemory(t *testing.T) {
	data := fullList()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r := must(parseRevoked(data))
	runtime.GC()
	runtime.ReadMemStats(&after)
	if taken := int64(after.HeapAlloc) - int64(before.HeapAlloc); taken > 200<<10 {
		t.Errorf("%d entries take %d bytes", len(r.ended), taken)
	}
}

func BenchmarkCheckOfAFullList(b *testing.B) {
	r := must(parseRevoked(fullList()))
	token := &Token{id: "01JD9ZQ0V4X8T6Q2M7N3K5H1RA", subject: "8a2f9b3e", clientID: "web", issuedAt: testNow}
	b.ReportAllocs()
	for b.Loop() {
		if r.check(token) != nil {
			b.Fatal("ended")
		}
	}
}

package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	josejson "github.com/go-jose/go-jose/v4/json"
)

// revocationList writes a revocation list with a skew of a minute.
func encodeRevocationList(allBefore int64, ended map[[2]string]int64) []byte {
	digests := map[string]int64{}
	for named, before := range ended {
		sum := sha256.Sum256([]byte(named[0] + ":" + named[1]))
		digests[base64.RawURLEncoding.EncodeToString(sum[:])[:22]] = before
	}
	return must(json.Marshal(map[string]any{"version": 1, "keyIDs": []string{}, "clockSkewSeconds": 60, "allBefore": allBefore, "ended": digests}))
}

func ends(claim, value string, before int64) []byte {
	return encodeRevocationList(0, map[[2]string]int64{{claim, value}: before})
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
		"an empty list":                             {encodeRevocationList(0, nil), good, nil},
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
		"everything":                                {encodeRevocationList(now, nil), good, ErrRevoked},
		"everything, up to the skew before":         {encodeRevocationList(now-60, nil), good, ErrRevoked},
		"everything, a second more":                 {encodeRevocationList(now-61, nil), good, nil},
		"an old login behind a new token":           {ends("sub", "alice", now-300), claims(`"jti":"id-1","auth_time":` + fmt.Sprint(now-300)), ErrRevoked},
		"a login after an old one was ended":        {ends("sub", "alice", now-500), claims(`"jti":"id-1","auth_time":` + fmt.Sprint(now-300)), nil},
		"no jti under a list":                       {ends("sub", "bob", now), claims(`"x":1`), ErrRevoked},
		"no jti under an empty list":                {encodeRevocationList(0, nil), claims(`"x":1`), nil},
		"no iat under a list":                       {ends("sub", "bob", now), strings.Replace(good, `"iat":1800000000,`, "", 1), ErrRevoked},
		"no iat under a list, and an auth_time":     {ends("sub", "bob", now), strings.Replace(good, `"iat":1800000000,`, `"auth_time":1800000000,`, 1), nil},
		"an auth_time that is no date":              {ends("sub", "bob", now), claims(`"jti":"id-1","auth_time":"2026-11-26"`), ErrRevoked},
		"the same under an empty list":              {encodeRevocationList(0, nil), claims(`"jti":"id-1","auth_time":"2026-11-26"`), nil},
		"issued in 1970, and not named":             {ends("sub", "bob", now), claims(`"jti":"id-1","auth_time":0`), nil},
		"an auth_time of 0":                         {encodeRevocationList(1, nil), claims(`"jti":"id-1","auth_time":0`), ErrRevoked},
		"everything, but for what says nothing":     {encodeRevocationList(1, nil), claims(`"x":1`), ErrRevoked},
		"a session in a list for nobody":            {ends("sub", "bob", now), claims(`"jti":"id-1","sid":["s-1"]`), nil},
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

func TestParseRevokedRefuses(t *testing.T) {
	good := string(ends("sub", "alice", 1800000000))
	_, entry, _ := strings.Cut(good, `"ended":{`)
	entry, _, _ = strings.Cut(entry, "}")
	for name, text := range map[string]string{
		"nothing": "", "no object": "[]", "half": good[:len(good)/2], "text behind": good + "x", "no version": replaced(t, good, `"version":1`, `"v":1`),
		"another version": replaced(t, good, `"version":1`, `"version":2`), "version a string": replaced(t, good, `"version":1`, `"version":"1"`),
		"version twice":      replaced(t, good, `"version":1`, `"version":1,"version":1`),
		"skew negative":      replaced(t, good, `Seconds":60`, `Seconds":-1`),
		"skew of over 1h":    replaced(t, good, `Seconds":60`, `Seconds":3601`),
		"skew a fraction":    replaced(t, good, `Seconds":60`, `Seconds":60.5`),
		"allBefore negative": replaced(t, good, `"allBefore":0`, `"allBefore":-1`),
		"allBefore too late": replaced(t, good, `"allBefore":0`, `"allBefore":253402300800`),
		"allBefore null":     replaced(t, good, `"allBefore":0`, `"allBefore":null`),
		"ended null":         replaced(t, good, "{"+entry+"}", "null"),
		"ended a list":       replaced(t, good, "{"+entry+"}", "[]"),
		"an entry twice":     replaced(t, good, entry, entry+","+entry),
		"an entry of time 0": replaced(t, good, ":1800000000", ":0"),
		"a time in words":    replaced(t, good, ":1800000000", `:"1800000000"`),
		"a time too late":    replaced(t, good, ":1800000000", ":253402300800"),
		"a short hash":       replaced(t, good, entry, `"AAAAAAAAAAAAAAAAAAAAA":1`),
		"a long hash":        replaced(t, good, entry, `"AAAAAAAAAAAAAAAAAAAAAAA":1`),
		"no base64url":       replaced(t, good, entry, `"AAAAAAAAAAAAAAAAAAAAA+":1`),
		"a line break":       replaced(t, good, entry, `"AAAAAAAAAA\nAAAAAAAAAAA":1`),
		"two line breaks":    replaced(t, good, entry, `"AAAAAAAAAA\n\nAAAAAAAAAA":1`),
		"line breaks beside": replaced(t, good, entry, `"AAAAAAAAAAA\n\nAAAAAAAAAAA":1`),
		"keyIDs a string":    replaced(t, good, `"keyIDs":[]`, `"keyIDs":"es"`),
		"keyIDs of numbers":  replaced(t, good, `"keyIDs":[]`, `"keyIDs":[1]`),
		"a key set":          string(setOf(esKey().jwk())),
		"too long":           good + strings.Repeat(" ", maxRevocationListBytes),
	} {
		if _, err := parseRevocationList([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "revocation list: ") || strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Two names that differ in the last four bits only, which are not compared: the later time counts.
	for _, text := range []string{`{"version":1,"ended":{"0Duy2fnvwMjO6a6vyjLxLQ":1,"0Duy2fnvwMjO6a6vyjLxLR":2}}`, `{"version":1,"ended":{"0Duy2fnvwMjO6a6vyjLxLQ":2,"0Duy2fnvwMjO6a6vyjLxLR":1}}`} {
		for _, until := range must(parseRevocationList([]byte(text))).revokedUntil {
			if until != 2 {
				t.Errorf("%s: until %d", text, until)
			}
		}
	}
	if _, err := parseRevocationList([]byte(`{"version":1,"later":{"a":[1]},"ended":{}}`)); err != nil {
		t.Errorf("a member that is not known: %v", err)
	}
}

// FuzzParseRevoked compares what is read of a list with what go-jose reads, to which the case of a name matters too.
func FuzzParseRevoked(f *testing.F) {
	f.Add([]byte(`{"version":1,"keyIDs":["a"],"clockSkewSeconds":60,"allBefore":1795600000,"ended":{"0Duy2fnvwMjO6a6vyjLxLP":1795650000}}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"ended":{"0Duy2fnvwMjO6a6vyjLxLP":-1}}`))
	f.Add([]byte(`{"version":1,"ended":{"0Duy2fnvwMjO6a6vyjLxL":1,"0Duy2fnvwMjO6a6vyjLxLQ":1,"0Duy2fnvwMjO6a6vyjLxLR":2}}`))
	f.Add(ends("sub", "alice", 1800000000))
	f.Add([]byte(`{"endeD":[],"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRevocationList(data)
		if err != nil {
			return
		}
		var theirs struct {
			ClockSkewSeconds int64            `json:"clockSkewSeconds"`
			AllBefore        int64            `json:"allBefore"`
			KeyIDs           []string         `json:"keyIDs"`
			Ended            map[string]int64 `json:"ended"`
		}
		if err := josejson.Unmarshal(data, &theirs); err != nil {
			t.Fatalf("go-jose refuses what we read: %v", err)
		}
		if r.skew != time.Duration(theirs.ClockSkewSeconds)*time.Second || !slices.Equal(r.keyIDs, theirs.KeyIDs) ||
			r.allRevokedUntil != 0 && r.allRevokedUntil != theirs.AllBefore+theirs.ClockSkewSeconds || (r.allRevokedUntil == 0) != (theirs.AllBefore == 0) {
			t.Errorf("ours %+v, go-jose's %+v", r, theirs)
		}
		for text, before := range theirs.Ended {
			if until := r.revokedUntil[[16]byte(must(base64.RawURLEncoding.DecodeString(text)))]; until < before+theirs.ClockSkewSeconds {
				t.Errorf("%s ends at %d, ours at %d", text, before, until)
			}
		}
		latest := int64(latestDate + int(maxClockSkew/time.Second))
		token := &Token{id: "id", subject: "alice", issuedAt: time.Unix(latest+1, 0)}
		if r.check(token) != nil {
			t.Error("a list ends what comes after all of its times")
		}
	})
}

// fullList has as many entries as a controller writes, for subjects that nobody is.
func fullList() []byte {
	ended := map[[2]string]int64{}
	for i := range 2000 {
		ended[[2]string{"sub", fmt.Sprint("nobody-", i)}] = testNow.Unix()
	}
	return encodeRevocationList(0, ended)
}

// A full list takes little memory, however many values were asked for, and a token that is remembered costs no allocation.
func TestFullListTakesLittleMemory(t *testing.T) {
	text := fullList()
	before := heap()
	r := must(parseRevocationList(text))
	for i := range 10 * lookupCacheSlots {
		long := fmt.Sprintf("%0*d", maxCachedValue+i%5/4*2000, i) // mostly as long as is remembered
		claims := strings.NewReplacer("alice", long, "shop", long, `"id-1"`, `"id-1","sid":"`+long+`"`).Replace(goodClaims)
		claims = replaced(t, claims, `"a","b"`, `"`+strings.Repeat("g", 2000)+`"`)
		must(0, r.check(must(parseClaims(claims))))
	}
	if grown := heap() - before; grown > 200<<10 || grown < 10<<10 {
		t.Errorf("%d bytes of heap", grown)
	}
	runtime.KeepAlive(r)

	mounted := newVolume(t, nil)
	mounted.updateBoth(setOf(esKey().jwk()), text)
	f := follow(t, mounted.path())
	token := esKey().good()
	f.verify("first", token, nil)
	if allocations := testing.AllocsPerRun(100, func() { _, _ = f.Verify(t.Context(), token) }); allocations != 0 {
		t.Errorf("a remembered token costs %v allocations", allocations)
	}
}

// What was asked for is remembered for one claim alone, and for one text.
func TestVerdictsAreNotMixed(t *testing.T) {
	r := must(parseRevocationList(ends("sub", "shared", testNow.Unix())))
	for range 2 {
		for i, claim := range []string{"sub", "client_id", "sid"} {
			for j, value := range []string{"shared", "Shared", strings.Repeat("s", maxCachedValue+1)} {
				if ended := r.lookup(&r.cache[i], claim, value) != 0; ended != (i == 0 && j == 0) {
					t.Errorf("%s %s: ended %v", claim, value, ended)
				}
			}
		}
		for i := range 5 * lookupCacheSlots { // which throws out what was remembered
			if r.lookup(&r.cache[0], "sub", fmt.Sprint(i)) != 0 {
				t.Errorf("subject %d is ended", i)
			}
		}
	}
}

// Many at once, for the race detector.
func TestVerdictsInParallel(t *testing.T) {
	r := must(parseRevocationList(ends("sub", "7", testNow.Unix())))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 2000 {
				token := &Token{id: fmt.Sprint(i), subject: fmt.Sprint(i % 300), clientID: "web", issuedAt: testNow}
				if ended := r.check(token) != nil; ended != (i%300 == 7) {
					t.Errorf("subject %d: ended %v", i%300, ended)
				}
			}
		})
	}
	group.Wait()
}

// What a full list adds to a first verification, beside one SHA-256, in nanoseconds of CPU time: a machine that others use too
// makes those of the clock say little.
func BenchmarkCheckOfAFullList(b *testing.B) {
	r := must(parseRevocationList(fullList()))
	check := func(subjects int) func(i int) {
		tokens := make([]*Token, subjects)
		for i := range tokens {
			tokens[i] = &Token{id: fmt.Sprintf("01JD9ZQ0V4X8T6Q2M7N3K%06d", i), subject: fmt.Sprint("8a2f9b3e-", i), clientID: "web", issuedAt: testNow}
		}
		return func(i int) { must(0, r.check(tokens[i%subjects])) }
	}
	for _, c := range []struct {
		name string
		run  func(i int)
	}{
		{"one SHA-256", func(int) { hashClaim("jti", "01JD9ZQ0V4X8T6Q2M7N3K000000") }},
		{"subjects that come again", check(20)},
		{"subjects that never came", check(20000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			began := cpuTime()
			for i := 0; b.Loop(); i++ {
				c.run(i)
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is what this process has used so far.
func cpuTime() int64 {
	var usage syscall.Rusage
	must(0, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

package verifier

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// current is what the first issuer's keys are now.
func (v *Verifier) current() *snapshot { return v.issuerVerifiers[0].poller.current.Load() }

func sumOf(token string) *[sha256.Size]byte {
	digest := sha256.Sum256([]byte(token))
	return &digest
}

func TestTokensAreRemembered(t *testing.T) {
	mounted := newVolume(t, setOf(esKey().jwk(), edwardsKey().jwk()))
	f := follow(t, mounted.path())
	token := esKey().good()
	first := must(f.Verify(t.Context(), token))
	if again := must(f.Verify(t.Context(), token)); again != first {
		t.Error("the same token was verified twice")
	}
	// The text is what is remembered, to the last byte.
	f.verify("another signature", token[:len(token)-4]+"AAAA", ErrBadSignature)
	if other := must(f.Verify(t.Context(), esKey().good())); other == first {
		t.Error("another token was taken for the remembered one")
	}
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := f.Verify(t.Context(), token); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("a remembered token costs %v allocations", allocations)
	}
}

func TestRefusedTokensAreNotRemembered(t *testing.T) {
	f := follow(t, newVolume(t, setOf(esKey().jwk())).path())
	for _, token := range []string{
		esKey().sign(goodHeader, replaced(t, goodClaims, testAudience, "https://billing.example.com")),
		esKey().sign(goodHeader, replaced(t, goodClaims, `"exp":1800000600`, `"exp":1800000001`)),
		otherKey().good(), "x",
	} {
		f.clock.advance(2 * time.Minute)
		if _, err := f.Verify(t.Context(), token); err == nil || f.current().cache.get(sumOf(token)) != nil {
			t.Errorf("refused with %v, and remembered", err)
		}
		f.clock.advance(-2 * time.Minute)
	}
}

// Times are checked whenever a token comes.
func TestRememberedTokensExpire(t *testing.T) {
	f := follow(t, newVolume(t, setOf(esKey().jwk())).path())
	token := esKey().good() // valid for ten minutes from testNow, and the clock is a minute past that
	f.verify("fresh", token, nil)
	f.clock.advance(10*time.Minute - 1)
	f.verify("last moment", token, nil)
	f.clock.advance(1)
	f.verify("expired", token, ErrExpired)
	f.clock.advance(-13 * time.Minute)
	f.verify("the clock was set back", token, ErrNotYetValid)
}

// A new key set makes everything forgotten: a token of a key that is gone is refused, and one of a key that stays is
// verified again.
func TestNewKeysForgetEverything(t *testing.T) {
	es, ed := esKey(), edwardsKey()
	mounted := newVolume(t, setOf(es.jwk(), ed.jwk()))
	f := follow(t, mounted.path())
	revoked, kept := es.good(), ed.good()
	before := must(f.Verify(t.Context(), kept))
	f.verify("not revoked yet", revoked, nil)

	mounted.update(setOf(es.jwk(), ed.jwk()), testNow)
	f.poll()
	if again := must(f.Verify(t.Context(), kept)); again != before {
		t.Error("the same bytes made it forget")
	}
	mounted.update(setOf(ed.jwk()), testNow)
	f.poll()
	f.verify("revoked", revoked, ErrUnknownKey)
	if again := must(f.Verify(t.Context(), kept)); again == before {
		t.Error("a new key set did not make it forget")
	}
	// The kid comes back with another key behind it.
	twin := testKey{"es", es.alg, otherKey().private}
	mounted.update(setOf(twin.jwk()), testNow)
	f.poll()
	f.verify("another key of the same kid", revoked, ErrBadSignature)
}

// keepToken puts a token with this payload and expiry into a memory, under a digest that begins with place.
func keepToken(m *tokenCache, place uint64, number int, expiry time.Time, payload string) *[sha256.Size]byte {
	digest := sha256.Sum256(fmt.Append(nil, number))
	binary.NativeEndian.PutUint64(digest[:], place)
	m.add(&digest, &Token{payload: payload, expiry: expiry})
	return &digest
}

func TestFullPlaceForgetsWhatExpiresFirst(t *testing.T) {
	m := newTokenCache(cacheBytes)
	var digests []*[sha256.Size]byte
	for i, minutes := range []int{7, 3, 9, 5} {
		digests = append(digests, keepToken(m, 1, i, testNow.Add(time.Duration(minutes)*time.Minute), ""))
	}
	digests = append(digests, keepToken(m, 1, 4, testNow, ""))
	keepToken(m, 2, 5, testNow, "") // elsewhere
	for i, want := range []bool{true, false, true, true, true} {
		if got := m.get(digests[i]) != nil; got != want {
			t.Errorf("token %d: remembered: %v", i, got)
		}
	}
	if m.bytes.Load() != 5*(&cacheEntry{token: &Token{}}).size() {
		t.Errorf("it counts %d bytes", m.bytes.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for _, length := range []int{300, 3000, cacheBytes / 64} {
		m := newTokenCache(cacheBytes)
		payload := strings.Repeat("p", length)
		for i := range 3 * cacheSlots {
			keepToken(m, uint64(i)*0x9e3779b97f4a7c15, i, testNow, payload)
			if m.bytes.Load() > cacheBytes {
				t.Fatalf("%d tokens of %d bytes: %d bytes", i, length, m.bytes.Load())
			}
		}
		sum := int64(0)
		for i := range m.slots {
			sum += m.slots[i].Load().size()
		}
		if sum != m.bytes.Load() {
			t.Errorf("it counts %d bytes and holds %d", m.bytes.Load(), sum)
		}
		if tooLong := length*9/8+entryBytes > cacheBytes/64; tooLong != (sum == 0) {
			t.Errorf("tokens of %d bytes: %d bytes are remembered", length, sum)
		}
	}
}

// What is really in use when the memory is full of real tokens, of two sizes.
func TestFullMemoryTakesTwoMegabytes(t *testing.T) {
	for _, claims := range []string{goodClaims, replaced(t, goodClaims, `"a","b"`, `"`+strings.Repeat("g", 3000)+`"`)} {
		keys := map[string]*key{"es": {id: "es", algorithm: jose.ES256}}
		before := heap()
		g := newSnapshot(parsedContent{keySet: &KeySet{keys: keys}, revocations: &revocationList{}}, Config{Issuers: map[string]Source{testIssuer: File("main.json")}})
		for i := range 4 * cacheSlots {
			token, err := testPolicy().validate(signed{payload: strings.Clone(claims), kid: "es", typ: "at+jwt"}, []string{testIssuer}, testNow)
			must(0, err)
			digest := sha256.Sum256(fmt.Append(nil, i))
			g.cache.add(&digest, token)
		}
		grown := heap() - before
		if grown > 2<<20 || grown < 1<<20 {
			t.Errorf("tokens of %d bytes: %d bytes of heap", len(claims), grown)
		}
		runtime.KeepAlive(g)
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what the first one only unlinked
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Many at once, for the race detector: what is found is what was kept under that digest.
func TestMemoryInParallel(t *testing.T) {
	m := newTokenCache(20 * entryBytes * 64)
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for i := range 2000 {
				number := (worker*7 + i) % 300
				digest := keepToken(m, uint64(number), number, testNow, fmt.Sprint(number))
				if found := m.get(digest); found != nil && found.payload != fmt.Sprint(number) {
					t.Errorf("under the digest of %d is %s", number, found.payload)
				}
			}
		})
	}
	group.Wait()
	if m.bytes.Load() > m.maxBytes {
		t.Errorf("it holds %d bytes", m.bytes.Load())
	}
}

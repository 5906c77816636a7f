package verifier

import (
	"crypto"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// standard is an Accelerator whose checks are those of the standard library. It knows no RSA, as that of verifier/fast.
type standard struct {
	open chan struct{} // lets each key through when something comes out of it, if it is not nil

	mu       sync.Mutex
	prepared []string // algorithms
	checks   int      // that were made
}

func (s *standard) Prepare(algorithm string, public crypto.PublicKey) Check {
	if s.open != nil {
		<-s.open
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prepared = append(s.prepared, algorithm)
	if strings.HasPrefix(algorithm, "RS") {
		return nil
	}
	k := &key{algorithm: jose.SignatureAlgorithm(algorithm), public: public}
	return func(input string, signature [64]byte) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.checks++
		return jws.VerifySignature(k.algorithm, k.public, []byte(input), signature[:])
	}
}

// wants checks what was prepared, and how many signatures were checked, since the last time.
func (s *standard) wants(t *testing.T, name string, checks int, prepared ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if diff := cmp.Diff(prepared, s.prepared); diff != "" {
		t.Errorf("%s: prepared (-want +got):\n%s", name, diff)
	}
	if s.checks != checks {
		t.Errorf("%s: it checked %d signatures and not %d", name, s.checks, checks)
	}
	s.prepared, s.checks = nil, 0
}

// accelerated follows a volume with an Accelerator.
func accelerated(t *testing.T, mounted *volume, with Accelerator) *follower {
	return renamed(t, File(mounted.path()), func(c *Config) { c.Accelerator = with })
}

// verifyEach verifies a good token and a forged one of each key.
func (f *follower) verifyEach(name string, keys ...testKey) {
	f.t.Helper()
	for _, key := range keys {
		token := key.sign(key.header(), replaced(f.t, goodClaims, "id-1", name)) // not one that is remembered
		f.verify(name+": good: "+key.id, token, nil)
		claims := replaced(f.t, goodClaims, "alice", "mallory")
		f.verify(name+": forged: "+key.id, encode(key.header())+"."+encode(claims)+token[strings.LastIndex(token, "."):], ErrBadSignature)
	}
}

// The standard library checks the signatures of a key until the Accelerator has prepared it.
func TestAcceleratorChecksWhatItHasPrepared(t *testing.T) {
	es, ed, rs := esKey(), edwardsKey(), rsaTestKey() // in FIPS mode no bubble may make the last
	synctest.Test(t, func(t *testing.T) {
		mounted := newVolume(t, setOf(es.jwk(), ed.jwk(), rs.jwk()))
		with := &standard{open: make(chan struct{})}
		f := accelerated(t, mounted, with)
		f.verifyEach("none is prepared", es, ed, rs)
		with.wants(t, "at start", 0)
		with.open <- struct{}{}
		with.wants(t, "the first", 0, "EdDSA")
		f.verifyEach("one is prepared", es, ed, rs)
		with.wants(t, "one is prepared", 2)
		with.open <- struct{}{}
		with.open <- struct{}{}
		with.wants(t, "the others", 0, "ES256", "RS256")
		f.verifyEach("all are prepared", es, ed, rs)
		input := encode(es.header()) + "." + encode(goodClaims)
		f.verify("a short signature", input+"."+encode(string(es.signature([]byte(input))[:63])), ErrBadSignature)
		with.wants(t, "all are prepared", 4)
		if n := f.log.count("keys prepared"); n != 1 {
			t.Errorf("the log says %d times that keys are prepared", n)
		}
	})
}

// A key that stays is not prepared again, and one with the kid or the numbers of another is none that stays.
func TestKeysThatStayStayPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es, ed, next := esKey(), edwardsKey(), otherKey()
		mounted := newVolume(t, setOf(es.jwk(), ed.jwk()))
		with := &standard{}
		f := accelerated(t, mounted, with)
		with.wants(t, "at start", 0, "EdDSA", "ES256")
		change := func(name string, keys ...testKey) {
			t.Helper()
			var set []map[string]any
			for _, key := range keys {
				set = append(set, key.jwk())
			}
			mounted.update(setOf(set...), testNow)
			f.poll()
			synctest.Wait()
			f.verifyEach(name, keys...)
		}
		change("a key comes", es, ed, next)
		with.wants(t, "a key comes", 6, "ES256")
		change("a key goes", ed, next)
		with.wants(t, "a key goes", 4)
		change("it comes back", es, ed, next)
		with.wants(t, "it comes back", 6, "ES256")
		change("its kid is that of another", testKey{"es", next.alg, next.private}, ed)
		with.wants(t, "its kid is that of another", 4, "ES256")
		change("its kid is that of one of another type", testKey{"es", ed.alg, ed.private})
		with.wants(t, "its kid is that of one of another type", 2, "EdDSA")
	})
}

// A key of another algorithm is another key, also where the numbers are the same.
func TestKeyOfAnotherAlgorithmIsAnother(t *testing.T) {
	rs := rsaTestKey()
	parse := func(alg jose.SignatureAlgorithm) *KeySet {
		return must(ParseKeySet(setOf(testKey{"rs", alg, rs.private}.jwk())))
	}
	earlier := parse(jose.RS256)
	for alg, stays := range map[jose.SignatureAlgorithm]bool{jose.RS256: true, jose.RS512: false} {
		set := parse(alg)
		if set.reusePrepared(earlier); (set.keys["rs"] == earlier.keys["rs"]) != stays || set.keys["rs"].algorithm != alg {
			t.Errorf("%s: the key of RS256 stays: %v", alg, !stays)
		}
	}
}

// A revocation list that comes leaves the keys prepared, and what it revokes is refused.
func TestRevokedKeysAreNotPrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		es, ed := esKey(), edwardsKey()
		mounted := newVolume(t, setOf(es.jwk(), ed.jwk()))
		with := &standard{}
		f := accelerated(t, mounted, with)
		with.wants(t, "at start", 0, "EdDSA", "ES256")
		mounted.updateBoth(setOf(es.jwk(), ed.jwk()), []byte(`{"version":1,"keyIDs":["es"],"clockSkewSeconds":60,"ended":{}}`))
		f.poll()
		f.verify("of the revoked key", es.good(), ErrUnknownKey)
		f.verify("of the other", ed.good(), nil)
		with.wants(t, "after the list", 1)
	})
}

// Memory is bounded: of all sources together, so many keys are prepared, and the others are verified as ever. A place that becomes
// free is taken.
func TestSoManyKeysArePrepared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := func(name string, count int) (keys []testKey, jwks []map[string]any) {
			for n := range count {
				key := newEdwardsKey(fmt.Sprintf("%s-%02d", name, n))
				keys, jwks = append(keys, key), append(jwks, key.jwk())
			}
			return keys, jwks
		}
		ours, oursJWK := set("a", 20)
		theirs, theirsJWK := set("b", 20)
		mounted, other := newVolume(t, setOf(oursJWK...)), newVolume(t, setOf(theirsJWK...))
		with := &standard{}
		f := renamed(t, nil, func(c *Config) {
			c.Accelerator = with
			c.Issuers = map[string]Source{testIssuer: File(mounted.path()), otherIssuer: File(other.path())}
		})
		with.wants(t, "at start", 0, strings.Fields(strings.Repeat("EdDSA ", 32))...)
		prepared := func(name string, keys []testKey, issuer string, want int) {
			t.Helper()
			for _, key := range keys {
				f.verify(name+": "+key.id, key.sign(key.header(), replaced(t, from(issuer), "id-1", name)), nil)
			}
			with.wants(t, name, want)
		}
		prepared("of the first", ours, testIssuer, 20)
		prepared("of the second", theirs, otherIssuer, 12)
		mounted.update(setOf(oursJWK[:15]...), testNow)
		f.poll()
		with.wants(t, "some go", 0, strings.Fields(strings.Repeat("EdDSA ", 5))...)
		prepared("of the second, once some of the first are gone", theirs, otherIssuer, 17)
	})
}

// Close does not wait for the keys that are left.
func TestCloseStopsPreparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mounted := newVolume(t, setOf(esKey().jwk(), edwardsKey().jwk()))
		with := &standard{open: make(chan struct{})}
		f := accelerated(t, mounted, with)
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			f.Close()
			close(closed)
		}()
		synctest.Wait()
		with.open <- struct{}{}
		<-closed
		with.wants(t, "after Close", 0, "EdDSA")
	})
}

// No memory is taken by the way that leads to the check.
func TestAcceleratedChecksAllocateNothing(t *testing.T) {
	k := must(ParseKeySet(setOf(edwardsKey().jwk()))).keys["ed"]
	token := edwardsKey().good()
	cut := strings.LastIndex(token, ".")
	copied, signature := []byte(token[:cut]), must(jws.DecodeBase64(token[cut+1:]))
	check := Check(func(string, [64]byte) bool { return true })
	for name, prepare := range map[string]*Check{"the standard library": nil, "an Accelerator": &check} {
		k.preparedCheck.Store(prepare)
		if n := testing.AllocsPerRun(100, func() {
			if !k.verifySignature(token[:cut], copied, signature) {
				t.Error("refused")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

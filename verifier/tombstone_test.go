package verifier

import (
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

// A set with a tombstone alone, a public key whose private half nobody has, takes trust away: PyJWT, Envoy and others
// refuse an empty set, and keep the keys that they have. To a verifier it is a set like any other.
func TestTombstoneEndsTrust(t *testing.T) {
	es := esKey()
	for name, tombstone := range map[string]testKey{
		"EC": {"tombstone", jose.ES256, otherKey().private}, "OKP": {"tombstone", jose.EdDSA, edwardsKey().private},
		"RSA": {"tombstone", jose.RS256, rsaTestKey().private},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := newVolume(t, setOf(es.jwk()))
			f := follow(t, mounted.path())
			remembered := es.good()
			f.verify("before", remembered, nil)
			mounted.update(setOf(tombstone.jwk()), testNow)
			f.poll()
			f.wants("the tombstone", "tombstone")
			f.verify("a remembered token", remembered, ErrUnknownKey)
			f.verify("another token", es.good(), ErrUnknownKey)
			f.verify("its kid, signed by another key", testKey{"tombstone", es.alg, es.private}.sign(tombstone.header(), goodClaims), ErrBadSignature)
			wantAnswer(t, f.Verifier, "Middleware", remembered, 401)

			started := follow(t, mounted.path())
			started.verify("a pod that starts with it", es.good(), ErrUnknownKey)
			for _, one := range []*follower{f, started} {
				if one.log.count("level=ERROR")+one.log.count("level=WARN") != 0 || one.KeySets()[0].Failure != "" {
					t.Errorf("it is taken for a fault: %s", one.log.text.String())
				}
			}
			mounted.update(setOf(es.jwk()), testNow)
			f.poll()
			f.verify("the name is used again", remembered, nil)
		})
	}
}

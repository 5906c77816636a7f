package desired

import (
	"errors"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jwks"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// TrustedKeepFor is how long a namespace that a TrustedIssuer no longer selects keeps its file. The token lifetime of
// another issuer is not known, but most tokens expire within an hour.
const TrustedKeepFor = time.Hour

// Trusted has the projection of one TrustedIssuer, and the reasons for it.
type Trusted struct {
	Projection Projection
	// Keys are the distributed keys.
	Keys []jwks.Published
	// LeftOut are the keys that are not distributed.
	LeftOut []jwks.LeftOut
	// Err is why no key can be distributed, for example ErrNotFetched. The files are then not changed.
	Err error
	// InvalidSelector is why the selector is invalid, nil if it is valid.
	InvalidSelector error
}

// ErrNotFetched means that the fetcher has not written an entry for the TrustedIssuer.
var ErrNotFetched = errors.New("the fetcher has not fetched the keys yet")

// OfTrustedIssuer returns the projection of a TrustedIssuer from its spec and the entry of the fetcher. It checks the
// entry again, which can only have keys that the spec allows. ours has the keys of SigningKeys.
func OfTrustedIssuer(
	ti *keywrightv1alpha1.TrustedIssuer, entry fetched.Entry, ours map[string]string, keyNamespace string, now time.Time,
) Trusted {
	rules := RulesOf(&ti.Spec)
	rules.OwnedBy = func(thumbprint string) string { return ours[thumbprint] }
	t := Trusted{Projection: Projection{
		Foreign: true, KeyNamespace: keyNamespace, KeepFor: TrustedKeepFor, Confirmed: now,
		Generation: ti.CreationTimestamp.Unix(), GatewayEntry: gatewayEntry(ti.Spec.Distribution.GatewayEntry, ti.CreationTimestamp),
	}}
	p := &t.Projection
	p.Selector, t.InvalidSelector = metav1.LabelSelectorAsSelector(ti.Spec.Distribution.NamespaceSelector)
	set := []byte(ti.Spec.Keys.Inline)
	if ti.Spec.Keys.Inline != "" {
		p.Generation += ti.Generation
	} else {
		if entry.UID != string(ti.UID) || len(entry.KeySet) == 0 {
			p.Frozen, t.Err = true, ErrNotFetched
			return t
		}
		rules.SPIFFE = false // the fetcher has converted it
		set, t.LeftOut = entry.KeySet, entry.LeftOut
		p.Generation += entry.Revision
	}
	keys, leftOut, err := jwks.Publish(set, rules)
	t.LeftOut = append(t.LeftOut, leftOut...)
	if err != nil {
		p.Frozen, t.Err = true, err
		return t
	}
	algorithm := AlgorithmOf(keys, set)
	t.Keys = keys
	p.Files = Files{KeySet: string(jwks.EncodeFile(keys, algorithm))}
	p.Tombstone = string(issuerfiles.Tombstone(algorithm))
	return t
}

// RulesOf returns the rules of a spec for the keys that may be published.
func RulesOf(spec *keywrightv1alpha1.TrustedIssuerSpec) jwks.Rules {
	rules := jwks.Rules{Issuer: spec.Issuer, SPIFFE: spec.Keys.SPIFFEBundle != nil}
	for _, a := range spec.Algorithms {
		rules.Algorithms = append(rules.Algorithms, string(a))
	}
	return rules
}

// AlgorithmOf returns the algorithm of the tombstone for a key set. Some libraries refuse a set with a key of a type
// that they do not know.
func AlgorithmOf(keys []jwks.Published, set []byte) string {
	if len(keys) > 0 {
		return keys[0].Algorithm
	}
	return issuerfiles.AlgorithmOfSet(set)
}

// SourceOf returns a digest of the source of the keys in a spec.
func SourceOf(spec *keywrightv1alpha1.TrustedIssuerSpec) (string, error) {
	return fetched.Source(struct {
		Issuer string
		Keys   keywrightv1alpha1.KeySource
	}{spec.Issuer, spec.Keys})
}

// KeyIDsOfSigningKeys returns the name of the SigningKey for each key that is published or revoked, or that a file may
// still have. The kids are RFC 7638 thumbprints.
func KeyIDsOfSigningKeys(projections map[string]Projection) map[string]string {
	ids := map[string]string{}
	for name, p := range projections {
		if p.Foreign {
			continue
		}
		for _, id := range slices.Concat(issuerfiles.KeyIDs([]byte(p.Files.KeySet)), p.Revoked, p.Held) {
			ids[id] = name
		}
	}
	return ids
}

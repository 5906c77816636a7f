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

// TrustedKeepFor is how long a namespace that a TrustedIssuer no longer selects keeps its file. The lifetime of the tokens of another issuer
// is not known; most expire within the hour.
const TrustedKeepFor = time.Hour

// Trusted is what the files of one TrustedIssuer must be, and why.
type Trusted struct {
	Projection Projection
	// Keys are those that are distributed.
	Keys []jwks.Published
	// LeftOut are those that are not.
	LeftOut []jwks.LeftOut
	// Err is why no key can be distributed; what stands in the files stays. ErrNotFetched is one.
	Err error
	// InvalidSelector is why the selector cannot be read.
	InvalidSelector error
}

// ErrNotFetched is returned while the fetcher has handed nothing over.
var ErrNotFetched = errors.New("the fetcher has not fetched the keys yet")

// OfTrustedIssuer makes the projection of a TrustedIssuer from its spec and from what the fetcher handed over, which is checked again: an
// entry can bring nothing but keys that the spec allows.
func OfTrustedIssuer(ti *keywrightv1alpha1.TrustedIssuer, entry fetched.Entry, ours map[string]string, keyNamespace string, now time.Time) Trusted {
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
		rules.SPIFFE = false // the fetcher wrote it for verifiers
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

// RulesOf returns what a spec says of the keys that may be published.
func RulesOf(spec *keywrightv1alpha1.TrustedIssuerSpec) jwks.Rules {
	rules := jwks.Rules{Issuer: spec.Issuer, SPIFFE: spec.Keys.SPIFFEBundle != nil}
	for _, a := range spec.Algorithms {
		rules.Algorithms = append(rules.Algorithms, string(a))
	}
	return rules
}

// AlgorithmOf returns the algorithm of a tombstone in place of keys: some libraries refuse a set with a key of a type that they do not know.
func AlgorithmOf(keys []jwks.Published, set []byte) string {
	if len(keys) > 0 {
		return keys[0].Algorithm
	}
	return issuerfiles.AlgorithmOfSet(set)
}

// SourceOf returns the digest of what the keys of a spec are read from.
func SourceOf(spec *keywrightv1alpha1.TrustedIssuerSpec) (string, error) {
	return fetched.Source(struct {
		Issuer string
		Keys   keywrightv1alpha1.KeySource
	}{spec.Issuer, spec.Keys})
}

// KeyIDsOfSigningKeys returns the name of the SigningKey of each key that is published or revoked, or that a file may still have. Their kids are RFC 7638 thumbprints.
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

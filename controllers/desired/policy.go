package desired

import (
	"time"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// defaultRSAKeySize is the size of an RSA key in bits if the spec has none.
const defaultRSAKeySize = 2048

// PolicyOf returns the policy of a SigningKey for Plan. The API server has validated its spec and set the defaults. The
// second result is the text of an invalid rotation request, which is ignored, or empty.
func PolicyOf(key *keywrightv1alpha1.SigningKey) (rotation.Policy, string) {
	spec := &key.Spec
	p := rotation.Policy{
		KeySpec:          rotation.KeySpec{Algorithm: string(spec.Algorithm)},
		Manual:           spec.Rotation.Mode == keywrightv1alpha1.Manual,
		Interval:         spec.Rotation.Interval.Duration,
		MaxLifetime:      spec.Token.MaxLifetime.Duration,
		ClockSkew:        spec.Token.ClockSkew.Duration,
		PropagationDelay: spec.Distribution.PropagationDelay.Duration,
		Revoked:          spec.RevokedKeyIDs,
		WaitForTargets:   spec.Rotation.WaitForTargets.Duration,
		Draining:         key.DeletionTimestamp != nil && spec.DeletionPolicy == keywrightv1alpha1.Drain,
		Deleting:         key.DeletionTimestamp != nil && spec.DeletionPolicy == keywrightv1alpha1.Delete,
	}
	if sessions := spec.Sessions; sessions != nil {
		p.MaxRefreshLifetime, p.MaxSessionLifetime = sessions.MaxRefreshLifetime.Duration, sessions.MaxSessionLifetime.Duration
	}
	if p.WaitForTargets == 0 {
		p.WaitForTargets = defaultWaitForTargets
	}
	if p.Type() == "RSA" {
		p.RSAKeySize = defaultRSAKeySize
		if spec.RSAKeySize != nil {
			p.RSAKeySize = int(*spec.RSAKeySize)
		}
	}
	text, requested := key.Annotations[contract.RotateAnnotation]
	if !requested {
		return p, ""
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return p, text
	}
	p.RotateRequested = at
	return p, ""
}

// defaultWaitForTargets is used with an older CRD, which does not have the field.
const defaultWaitForTargets = 24 * time.Hour

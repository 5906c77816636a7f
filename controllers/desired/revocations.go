package desired

import (
	"cmp"
	"slices"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// KeyIDsOf returns the key IDs in the Revocations of a SigningKey.
func KeyIDsOf(all []keywrightv1alpha1.Revocation, signingKey string) []string {
	var ids []string
	for i := range all {
		if spec := &all[i].Spec; spec.SigningKey == signingKey && spec.KeyID != "" {
			ids = append(ids, spec.KeyID)
		}
	}
	return ids
}

// KeepSessionsOf returns the keys whose revocation keeps sessions: those for which all Revocations set keepSessions.
func KeepSessionsOf(all []keywrightv1alpha1.Revocation, signingKey string) []string {
	var keep, end []string
	for i := range all {
		switch spec := &all[i].Spec; {
		case spec.SigningKey != signingKey || spec.KeyID == "":
		case spec.KeepSessions:
			keep = append(keep, spec.KeyID)
		default:
			end = append(end, spec.KeyID)
		}
	}
	return slices.DeleteFunc(keep, func(id string) bool { return slices.Contains(end, id) })
}

// TokenRequestsOf returns the requests of the Revocations of a SigningKey, except those of keys, in the order of
// creation. It omits those that InFuture reports.
func TokenRequestsOf(all []keywrightv1alpha1.Revocation, signingKey string, p rotation.Policy) []rotation.TokenRequest {
	var requests []rotation.TokenRequest
	for i := range all {
		r := &all[i]
		if r.Spec.SigningKey != signingKey || r.Spec.KeyID != "" || InFuture(r, p) {
			continue
		}
		request := rotation.TokenRequest{
			UID: string(r.UID), At: r.CreationTimestamp.Time, Digest: digestOf(&r.Spec),
			Reserved: r.Spec.ClientID != "" || r.Spec.Everything, Nudge: r.Spec.Nudge,
		}
		if r.Spec.IssuedBefore != nil {
			request.Before = r.Spec.IssuedBefore.Time
		}
		requests = append(requests, request)
	}
	slices.SortFunc(requests, func(a, b rotation.TokenRequest) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.UID, b.UID)) })
	return requests
}

// digestOf returns the digest of the value that a Revocation names, empty for everything.
func digestOf(spec *keywrightv1alpha1.RevocationSpec) string {
	for _, c := range []struct{ claim, value string }{
		{issuerfiles.ClaimTokenID, spec.TokenID},
		{issuerfiles.ClaimSessionID, spec.SessionID},
		{issuerfiles.ClaimSubject, spec.Subject},
		{issuerfiles.ClaimClientID, spec.ClientID},
	} {
		if c.value != "" {
			return issuerfiles.Digest(c.claim, c.value)
		}
	}
	return ""
}

// InFuture reports whether issuedBefore of a Revocation is after its creation: it would revoke tokens that are issued
// later.
func InFuture(r *keywrightv1alpha1.Revocation, p rotation.Policy) bool {
	before := r.Spec.IssuedBefore
	return before != nil && before.Sub(r.CreationTimestamp.Time) > p.ClockSkew+time.Second
}

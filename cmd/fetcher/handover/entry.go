package handover

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/source"
)

// nextEntry returns the entry after a fetch. A failure changes no key. name is the digest of the source.
func nextEntry(
	was fetched.Entry, ti *keywrightv1alpha1.TrustedIssuer, name string, keys source.Keys, failure error, now time.Time,
) fetched.Entry {
	next := was
	next.UID = string(ti.UID)
	now = now.UTC().Truncate(time.Second)
	if failure != nil {
		next.Failure = plain(failure)
		if was.Failure == "" {
			next.FailedSince = now
		}
		return next
	}
	next.Failure, next.FailedSince, next.FetchedAt, next.Source = "", time.Time{}, now, name
	if keys.NotModified {
		return next
	}
	next.LeftOut = keys.LeftOut[:min(len(keys.LeftOut), fetched.MostLeftOut)]
	if !bytes.Equal(was.KeySet, keys.File) {
		next.KeySet, next.Revision = keys.File, max(was.Revision+1, now.Unix())
	}
	next.FirstSeen = map[string]time.Time{}
	for _, k := range keys.Published {
		if at, known := was.FirstSeen[k.ID]; known {
			next.FirstSeen[k.ID] = at
		} else {
			next.FirstSeen[k.ID] = now
		}
	}
	return next
}

// equalContent reports whether two entries are equal except for their fetch times.
func equalContent(a, b fetched.Entry) bool {
	return a.UID == b.UID && a.Source == b.Source && a.Failure == b.Failure && bytes.Equal(a.KeySet, b.KeySet) &&
		slices.Equal(a.LeftOut, b.LeftOut) && maps.EqualFunc(a.FirstSeen, b.FirstSeen, time.Time.Equal)
}

// recordEvery returns how often a response without changes is recorded, so that the keys of a responding issuer never
// become stale.
func recordEvery(ti *keywrightv1alpha1.TrustedIssuer) time.Duration {
	return min(ti.Spec.MaxStaleness.Duration/4, time.Hour)
}

package wiring

import (
	"time"

	toolscache "k8s.io/client-go/tools/cache"
)

// Prompt is an informer without the delay of polling. controller-runtime waits for informers with
// toolscache.WaitForCacheSync, which calls HasSynced every 100 ms. So a controller would start up to 100 ms later than its
// caches are filled.
type Prompt struct {
	toolscache.SharedIndexInformer
}

// longestHasSynced limits how long HasSynced waits, so that a wait that is canceled ends soon. Between two calls is one poll
// interval, so it is longer than the first list usually takes.
const longestHasSynced = time.Second

// HasSynced reports whether the informer has received the first list. Unlike other implementations, it waits up to a
// second for that.
func (p Prompt) HasSynced() bool {
	synced := p.HasSyncedChecker()
	if toolscache.IsDone(synced) {
		return true
	}
	timer := time.NewTimer(longestHasSynced)
	defer timer.Stop()
	select {
	case <-synced.Done():
		return true
	case <-timer.C:
		return false
	}
}

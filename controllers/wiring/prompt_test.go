package wiring

import (
	"testing"
	"testing/synctest"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
)

// filling is an informer whose first list comes when its channel is closed.
type filling struct {
	toolscache.SharedIndexInformer
	done chan struct{}
}

func (f filling) HasSyncedChecker() toolscache.DoneChecker { return f }
func (f filling) Name() string                             { return "filling" }
func (f filling) Done() <-chan struct{}                    { return f.done }

// Whoever waits for an informer goes on when its list is there, without a poll interval. HasSynced returns within the
// interval if there is no list.
func TestPrompt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := filling{done: make(chan struct{})}
		informer := Prompt{f}
		began := time.Now()
		if informer.HasSynced() || time.Since(began) != longestHasSynced {
			t.Errorf("without a list, HasSynced returned after %v", time.Since(began))
		}
		const after = 730 * time.Millisecond
		time.AfterFunc(after, func() { close(f.done) })
		began = time.Now()
		if !toolscache.WaitForCacheSync(t.Context().Done(), informer.HasSynced) || time.Since(began) != after {
			t.Errorf("the list was there after %v, and the wait ended after %v", after, time.Since(began))
		}
		if began = time.Now(); !informer.HasSynced() || time.Since(began) != 0 {
			t.Errorf("later on, HasSynced took %v", time.Since(began))
		}
	})
}

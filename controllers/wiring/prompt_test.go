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

// A wait for an informer ends when its list is there, and not up to a poll interval later. Without a list, HasSynced returns
// within a second.
func TestPrompt(t *testing.T) {
	t.Parallel()
	// at is when the list is there, and ends when the wait ends.
	for at, ends := range map[time.Duration]time.Duration{
		0: 0, 40 * time.Millisecond: 40 * time.Millisecond, 990 * time.Millisecond: 990 * time.Millisecond,
		1050 * time.Millisecond: 1100 * time.Millisecond, 1500 * time.Millisecond: 1500 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := filling{done: make(chan struct{})}
			time.AfterFunc(at, func() { close(f.done) })
			if at == 0 {
				synctest.Wait()
			}
			began := time.Now()
			if !toolscache.WaitForCacheSync(t.Context().Done(), Prompt{f}.HasSynced) || time.Since(began) != ends {
				t.Errorf("the list was there after %v, and the wait ended after %v, want %v", at, time.Since(began), ends)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		f := filling{done: make(chan struct{})}
		informer := Prompt{f}
		began := time.Now()
		if informer.HasSynced() || time.Since(began) != longestHasSynced {
			t.Errorf("without a list, HasSynced returned after %v", time.Since(began))
		}
		close(f.done)
		if began = time.Now(); !informer.HasSynced() || time.Since(began) != 0 {
			t.Errorf("later on, HasSynced took %v", time.Since(began))
		}
	})
}

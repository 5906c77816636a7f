package verifier

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// readCounter is an Observer that counts the reads of sources.
type readCounter struct {
	noopObserver
	reads atomic.Int32
}

func (c *readCounter) KeySetRead(KeySetStatus) { c.reads.Add(1) }

// After a look that failed the next one comes sooner, and one of a source that stays away later and later, up to an
// interval.
func TestFailedLooksAreTriedAgain(t *testing.T) {
	keys := setOf(esKey().jwk()) // outside: a bubble has no entropy in FIPS mode
	type row struct{ second, reads int }
	for interval, rows := range map[time.Duration][]row{
		time.Second: {{1, 2}, {2, 3}, {3, 4}},
		20 * time.Second: {
			{19, 1},
			{20, 2},
			{22, 2},
			{23, 3},
			{28, 3},
			{29, 4},
			{40, 4},
			{41, 5},
			{60, 5},
			{61, 6},
			{80, 6},
			{81, 7},
			{100, 7},
			{101, 8},
			{103, 8},
			{104, 9},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			mounted := newVolume(t, keys)
			counter := &readCounter{}
			v, err := New(Config{
				Issuers: map[string]Source{testIssuer: File(mounted.path())}, Audience: testAudience, PollInterval: interval,
				Logger: (&log{}).logger(), Observer: counter,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			mounted.update(nil, testNow)
			began := time.Now()
			for _, row := range rows {
				<-time.After(time.Until(began.Add(time.Duration(row.second) * time.Second)))
				synctest.Wait()
				if got := int(counter.reads.Load()); got != row.reads {
					t.Errorf("every %v, after %d s: %d reads, want %d", interval, row.second, got, row.reads)
				}
				switch row.second {
				case 80:
					mounted.update(keys, testNow)
				case 81:
					mounted.update(nil, testNow)
				}
			}
		})
	}
}

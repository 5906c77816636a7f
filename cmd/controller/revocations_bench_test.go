package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// BenchmarkRevocations fills the list of a SigningKey with 2,000 values at 100 per second, with TARGETS namespaces. It
// measures the time until the last receipt is complete, the cost for the API server, and the time for one more
// revocation with a full list.
func BenchmarkRevocations(b *testing.B) {
	d := newDistribution(b)
	d.applyKey()
	for d.Loop() {
		before, since := cpuOf(d.server()), time.Now()
		ticker := time.NewTicker(10 * time.Millisecond)
		for i := range rotation.MaxTokens {
			d.end(i)
			<-ticker.C
		}
		ticker.Stop()
		asked := time.Since(since)
		d.allRemoved(rotation.MaxTokens)
		took := time.Since(since)
		writes, others, _ := d.count(since)
		b.ReportMetric(asked.Seconds(), "s-asking")
		b.ReportMetric((took - asked).Seconds(), "s-last-asked-to-removed")
		b.ReportMetric(writes/float64(d.n+1), "rounds")
		b.ReportMetric(others, "other-writes")
		b.ReportMetric((cpuOf(d.server())-before)/took.Seconds(), "apiserver-cores")
		since = time.Now()
		d.end(0) // an existing value with a later time, which needs no new entry
		d.allRemoved(rotation.MaxTokens + 1)
		b.ReportMetric(time.Since(since).Seconds(), "s-one-more")
	}
}

// end revokes the tokens of a subject, or, above the limit for subjects, of a client.
func (d *distribution) end(n int) {
	d.Helper()
	before := metav1.NewTime(time.Now().Truncate(time.Second))
	v := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	v.Spec = keywrightv1alpha1.RevocationSpec{SigningKey: benchKey, IssuedBefore: &before}
	if name := fmt.Sprintf("value-%d", n); n < rotation.MaxTokens-rotation.ReservedTokens {
		v.Spec.Subject = name
	} else {
		v.Spec.ClientID = name
	}
	d.must(d.admin.Create(d.Context(), v))
}

// allRemoved waits until this number of receipts reports the removal from every file.
func (d *distribution) allRemoved(want int) {
	d.Helper()
	until(d.B, "all receipts", 20*time.Minute, func(ctx context.Context) bool {
		var all keywrightv1alpha1.RevocationList
		if err := d.admin.List(ctx, &all); err != nil {
			return false
		}
		removed := 0
		for i := range all.Items {
			if all.Items[i].Status.RemovedAt != nil {
				removed++
			}
		}
		return removed >= want
	})
}

package main

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

var signingKeys = flag.Int("signingkeys", 50, "how many SigningKeys BenchmarkManySigningKeys changes")

// BenchmarkManySigningKeys changes the key sets of many SigningKeys that select the same namespaces, evenly within a
// minute. It measures how long after that minute the last file is current, and the cost.
func BenchmarkManySigningKeys(b *testing.B) {
	const within = time.Minute
	d := newDistribution(b)
	names := make([]string, *signingKeys)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%02d", benchKey, i)
		key := signingKeyFor(names[i], &metav1.LabelSelector{MatchLabels: map[string]string{benchKey: "true"}})
		key.Spec.Rotation.Mode = keywrightv1alpha1.Manual
		d.must(d.admin.Create(b.Context(), key))
	}
	revoked := 0
	d.settledAll(names, revoked)
	for b.Loop() {
		cpu, server := cpuOf(d.controller.Process.Pid), cpuOf(d.server())
		began := time.Now()
		for _, name := range names {
			d.revokeStandby(b, name)
			letPass(b.Context(), within/time.Duration(len(names)))
		}
		asked := time.Now()
		revoked++
		d.settledAll(names, revoked)
		writes, others, reads := d.count(began)
		b.ReportMetric(max(0, d.lastWrite(began).Sub(asked).Seconds()), "s-after-the-minute")
		b.ReportMetric(writes/float64(len(names)*d.n), "writes-per-file")
		b.ReportMetric(others/float64(len(names)), "other-writes-per-key")
		b.ReportMetric(reads, "configmap-reads")
		b.ReportMetric((cpuOf(d.controller.Process.Pid)-cpu)/time.Since(began).Seconds(), "controller-cores")
		b.ReportMetric((cpuOf(d.server())-server)/time.Since(began).Seconds(), "apiserver-cores")
		b.ReportMetric(residentMiB(d.controller.Process.Pid), "MiB")
	}
}

// settledAll waits until every namespace has the files of all SigningKeys, each with this number of completed
// revocations.
func (d *distribution) settledAll(names []string, revoked int) {
	d.Helper()
	for _, name := range names {
		until(d.B, name+" in sync, with a Standby", 10*time.Minute, func(ctx context.Context) bool {
			s := d.signingKey(ctx, name).Status
			return int(s.Targets.InSync) == d.n+1 && len(s.Keys) == 2 && len(s.Revocations) == revoked
		})
	}
}

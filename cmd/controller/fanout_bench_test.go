package main

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var targets = flag.Int("targets", 1000, "how many namespaces BenchmarkFanOut distributes to")

// BenchmarkFanOut measures, on a real API server, how long it takes from applying a SigningKey until every target holds its
// keys, and from naming the Active key as revoked until the last ConfigMap without it is written.
func BenchmarkFanOut(b *testing.B) {
	c := <-pool
	defer func() { pool <- c }()
	c.apply(b, "default")
	for i := range *targets {
		ns := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("fanout-%d", i), Labels: map[string]string{"fanout": "true"}}}
		if err := c.admin.Create(b.Context(), &ns); err != nil {
			b.Fatal(err)
		}
	}
	controller := c.runWith(b, c.file("kubeconfig"), "--leader-elect=false")
	until(b, "ready", 30*time.Second, func(context.Context) bool { return controller.ready() })
	var publish, revoke time.Duration
	n := 0
	for b.Loop() {
		n++
		published, revoked := c.fanOut(b, fmt.Sprintf("fanout-%d", n))
		publish, revoke = publish+published, revoke+revoked
	}
	b.ReportMetric(publish.Seconds()/float64(n), "s/publish")
	b.ReportMetric(revoke.Seconds()/float64(n), "s/revoke")
}

// fanOut applies a SigningKey, and revokes its Active key.
func (c *cluster) fanOut(b *testing.B, name string) (publish, revoke time.Duration) {
	b.Helper()
	key := signingKeyFor(name, &metav1.LabelSelector{MatchLabels: map[string]string{"fanout": "true"}})
	began := time.Now()
	if err := c.admin.Create(b.Context(), key); err != nil {
		b.Fatal(err)
	}
	until(b, "published", 5*time.Minute, func(ctx context.Context) bool {
		return int(c.signingKey(ctx, name).Status.Targets.InSync) == *targets
	})
	publish = time.Since(began)
	read := c.signingKey(b.Context(), name)
	read.Spec.RevokedKeyIDs = []string{read.Status.ActiveKeyID}
	began = time.Now()
	if err := c.admin.Update(b.Context(), &read); err != nil {
		b.Fatal(err)
	}
	until(b, "revoked", 5*time.Minute, func(ctx context.Context) bool {
		s := c.signingKey(ctx, name).Status
		return len(s.Revocations) == 1 && int(s.Targets.InSync) == *targets
	})
	last := began
	for _, r := range c.audited(b, began) {
		if r.ObjectRef.Resource == "configmaps" && r.write() {
			last = r.StageTimestamp.Time
		}
	}
	return publish, last.Sub(began)
}

package main

import (
	"context"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// BenchmarkStart starts the controller, and measures until /readyz returns 200. It alternates with the floor: a start of the same
// program that only prints its version.
func BenchmarkStart(b *testing.B) {
	c := borrow(b)
	c.apply(b, "default")
	binary, err := built()
	if err != nil {
		b.Fatal(err)
	}
	first := c.runWith(b, c.file("kubeconfig"), "--leader-elect=false") // new CRDs are not served at once
	until(b, "ready", time.Minute, func(context.Context) bool { return first.ready() })
	first.kill()
	var took, floor []float64
	for b.Loop() {
		began := time.Now()
		if out, err := exec.CommandContext(b.Context(), binary, "version").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		floor = append(floor, time.Since(began).Seconds()*1000)
		began = time.Now()
		p := c.runWith(b, c.file("kubeconfig"), "--leader-elect=false")
		for !p.ready() {
			if time.Since(began) > time.Minute {
				b.Fatalf("not ready within a minute\n%s", p.said())
			}
			time.Sleep(2 * time.Millisecond)
		}
		took = append(took, time.Since(began).Seconds()*1000)
		p.kill()
	}
	b.ReportMetric(median(took), "ms-to-ready")
	b.ReportMetric(slices.Max(took), "ms-to-ready-longest")
	b.ReportMetric(median(floor), "ms-version")
}

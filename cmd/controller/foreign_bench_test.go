package main

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// BenchmarkForeignRotation rotates the keys of another issuer, and measures from when its keys are known until the last
// ConfigMap is written, against the floor of BenchmarkDistribution. Then it counts the writes during half a minute
// without changes.
func BenchmarkForeignRotation(b *testing.B) {
	d := newDistribution(b)
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}}
	ti.Spec.Issuer = "https://other.example.com"
	ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{benchKey: "true"}}
	var kid string
	kid, ti.Spec.Keys.Inline = d.foreignSet()
	d.must(d.admin.Create(b.Context(), ti))
	d.trusted(kid)
	var took, ratios []float64
	for b.Loop() {
		floor, _ := d.measure(d.runFloor)
		ours, _ := d.measure(d.rotateForeign)
		took, ratios = append(took, ours.Seconds()), append(ratios, ours.Seconds()/floor.Seconds())
		b.Logf("floor %v, ours %v", floor.Round(time.Millisecond), ours.Round(time.Millisecond))
	}
	b.ReportMetric(median(took), "s-known-to-last")
	b.ReportMetric(median(ratios), "x-floor")
	since := time.Now()
	letPass(b.Context(), 30*time.Second)
	writes, others, _ := d.count(since)
	b.ReportMetric(writes+others, "writes-at-rest")
}

// foreignSet returns the key set of another issuer with a new key.
func (d *distribution) foreignSet() (kid, set string) {
	d.Helper()
	m, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	d.must(err)
	return m.ID, string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: m.ID, JWK: m.Public}}))
}

func (d *distribution) rotateForeign() time.Duration {
	d.Helper()
	var ti keywrightv1alpha1.TrustedIssuer
	d.must(d.admin.Get(d.Context(), client.ObjectKey{Name: "foreign"}, &ti))
	before := ti.DeepCopy()
	var kid string
	kid, ti.Spec.Keys.Inline = d.foreignSet()
	began := time.Now()
	d.must(d.admin.Patch(d.Context(), &ti, client.MergeFrom(before)))
	d.trusted(kid)
	return d.lastWrite(began).Sub(began)
}

// trusted waits until every namespace has a key of the other issuer.
func (d *distribution) trusted(kid string) {
	d.Helper()
	until(d.B, "all in sync with the other issuer", 10*time.Minute, func(ctx context.Context) bool {
		var ti keywrightv1alpha1.TrustedIssuer
		if d.admin.Get(ctx, client.ObjectKey{Name: "foreign"}, &ti) != nil {
			return false
		}
		s := ti.Status
		return int(s.Targets.InSync) == d.n+1 && len(s.Keys) == 1 && s.Keys[0].KeyID == kid
	})
}

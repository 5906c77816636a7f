package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

var targets = flag.Int("targets", 1000, "how many namespaces BenchmarkDistribution distributes to")

// BenchmarkDistribution changes a key set, and measures until the last ConfigMap is written. It compares that with a
// floor that is measured in the same minute: a loop of 32 workers that update as many ConfigMaps of the same size with
// the resource versions that they have. It reports the median of all changes.
func BenchmarkDistribution(b *testing.B) {
	d := newDistribution(b)
	applied := d.applyKey()
	d.changes()
	b.ReportMetric(applied.Seconds(), "s-apply-to-last")
	b.ReportMetric(median(d.repeat(5, d.repair)), "s-repair-idle")
	b.ReportMetric(median(d.repeat(5, d.birth)), "s-new-namespace-idle")
	b.ReportMetric(median(d.repeat(3, d.repairAmidAChange)), "s-repair-amid-a-change")
	b.ReportMetric(residentMiB(d.controller.Process.Pid), "MiB-after-changes")
	before := d.restarted()
	b.ReportMetric(before, "MiB-after-a-start")
	d.addUnrelated()
	b.ReportMetric(d.restarted()-before, "MiB-more-with-unrelated")
}

// changes alternates between the floor and a change of the key set.
func (d *distribution) changes() {
	var took, floor, ratios, serverRatios, cpu, cpuRatios, watchingRatios, reconcilingRatios, writes, others, reads []float64
	for d.Loop() {
		before := cpuOf(os.Getpid())
		floorTook, floorServer := d.measure(d.runFloor)
		floorCPU := cpuOf(os.Getpid()) - before
		watchingCPU := d.watchingFloorCPU()
		reconcilingCPU := d.reconcilingFloorCPU()
		before = cpuOf(d.controller.Process.Pid)
		since := time.Now()
		t, server := d.measure(d.change)
		ourCPU := cpuOf(d.controller.Process.Pid) - before
		cpu, cpuRatios = append(cpu, ourCPU/float64(d.n)*1000), append(cpuRatios, ourCPU/floorCPU)
		watchingRatios = append(watchingRatios, ourCPU/watchingCPU)
		reconcilingRatios = append(reconcilingRatios, ourCPU/reconcilingCPU)
		took, floor = append(took, t.Seconds()), append(floor, floorTook.Seconds())
		ratios = append(ratios, t.Seconds()/floorTook.Seconds())
		serverRatios = append(serverRatios, server/floorServer)
		ours, rest, read := d.count(since)
		writes, others, reads = append(writes, ours), append(others, rest), append(reads, read)
		d.Logf("floor %v, ours %v", floorTook.Round(time.Millisecond), t.Round(time.Millisecond))
	}
	d.ReportMetric(median(took), "s-revoke-to-last")
	d.ReportMetric(median(floor), "s-floor")
	d.ReportMetric(median(ratios), "x-floor")
	d.ReportMetric(median(serverRatios), "x-floor-apiserver-cpu")
	d.ReportMetric(median(cpu), "controller-cpu-s/1000")
	d.ReportMetric(median(cpuRatios), "x-floor-cpu")
	d.ReportMetric(median(watchingRatios), "x-watching-floor-cpu")
	d.ReportMetric(median(reconcilingRatios), "x-reconciling-floor-cpu")
	d.ReportMetric(median(writes), "configmap-writes")
	d.ReportMetric(slices.Max(others), "most-other-writes")
	d.ReportMetric(slices.Max(reads), "configmap-reads")
}

// distribution is one cluster with n targets.
type distribution struct {
	*testing.B
	*cluster
	n     int
	floor *kubernetes.Clientset
	// connect is how the floors connect.
	connect *rest.Config
	// held are the ConfigMaps of the floor, as last written.
	held []*corev1.ConfigMap
	born int

	controller *process
}

// newDistribution starts a controller in a cluster with namespaces and the floor's ConfigMaps.
func newDistribution(b *testing.B) *distribution {
	b.Helper()
	c := borrow(b)
	c.apply(b, "default")
	d := &distribution{B: b, cluster: c, n: *targets, connect: c.floorConfig(b)}
	var err error
	d.floor, err = kubernetes.NewForConfig(d.connect)
	d.must(err)
	d.prepare()
	d.start()
	return d
}

const benchKey = "distribution"

func (d *distribution) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// prepare creates the namespaces and the floor's ConfigMaps, with the size of a key set of two ES256 keys.
func (d *distribution) prepare() {
	d.Helper()
	d.held = make([]*corev1.ConfigMap, d.n)
	errs := make([]error, d.n)
	workqueue.ParallelizeUntil(d.Context(), 32, d.n, func(i int) {
		name := fmt.Sprintf("%s-%05d", benchKey, i)
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{benchKey: "true"}}}
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "floor", Labels: map[string]string{"a": "b"}, Annotations: map[string]string{"a": strings.Repeat("x", 80)}},
			Data:       map[string]string{"main.json": strings.Repeat("x", 420)},
		}
		if errs[i] = client.IgnoreAlreadyExists(d.admin.Create(d.Context(), ns)); errs[i] == nil {
			d.held[i], errs[i] = d.floor.CoreV1().ConfigMaps(name).Create(d.Context(), cm, metav1.CreateOptions{})
		}
	})
	d.must(errors.Join(errs...))
}

// start starts the controller, and waits until it has filled its caches.
func (d *distribution) start() {
	d.Helper()
	d.controller = d.runWith(d.B, d.file("kubeconfig"), "--leader-elect=false")
	until(d.B, "ready", time.Minute, func(context.Context) bool { return d.controller.ready() })
}

// restarted returns the resident memory, in MiB, of a new controller that has reconciled every namespace.
func (d *distribution) restarted() float64 {
	d.Helper()
	d.controller.kill()
	d.start()
	until(d.B, "all seen", time.Minute, func(context.Context) bool {
		_, body := get(d.B, d.controller.metrics+"/metrics")
		return strings.Contains(body, fmt.Sprintf("keywright_targets_in_sync{signingkey=%q} %d\n", benchKey, d.n+d.born+1)) &&
			strings.Contains(body, `workqueue_depth{controller="distribution",name="distribution",priority="-100"} 0`)
	})
	return residentMiB(d.controller.Process.Pid)
}

// addUnrelated creates as many unrelated ConfigMaps and Secrets of 10 KiB as there are targets.
func (d *distribution) addUnrelated() {
	d.Helper()
	errs := make([]error, d.n)
	large := strings.Repeat("z", 10<<10)
	workqueue.ParallelizeUntil(d.Context(), 32, d.n, func(i int) {
		meta := metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("unrelated-%d", i)}
		errs[i] = errors.Join(
			d.admin.Create(d.Context(), &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"a": large}}),
			d.admin.Create(d.Context(), &corev1.Secret{ObjectMeta: meta, StringData: map[string]string{"a": large}}))
	})
	d.must(errors.Join(errs...))
}

// applyKey returns how long it takes until every namespace has its first file.
func (d *distribution) applyKey() time.Duration {
	d.Helper()
	began := time.Now()
	key := signingKeyFor(benchKey, &metav1.LabelSelector{MatchLabels: map[string]string{benchKey: "true"}})
	key.Spec.Rotation.Mode = keywrightv1alpha1.Manual
	d.must(d.admin.Create(d.Context(), key))
	d.settled()
	return time.Since(began)
}

func (d *distribution) settled() {
	d.Helper()
	until(d.B, "all in sync, with a Standby", 10*time.Minute, func(ctx context.Context) bool {
		s := d.signingKey(ctx, benchKey).Status
		return int(s.Targets.InSync) == d.n+d.born+1 && len(s.Keys) == 2
	})
}

// measure returns the duration of a function, and the CPU seconds of the API server during it.
func (d *distribution) measure(do func() time.Duration) (took time.Duration, server float64) {
	before := cpuOf(d.server())
	took = do()
	return took, cpuOf(d.server()) - before
}

// change revokes the Standby, so that one key leaves every file and another one is added. It returns the time until the
// last ConfigMap was written.
func (d *distribution) change() time.Duration {
	d.Helper()
	before := len(d.signingKey(d.Context(), benchKey).Status.Revocations)
	began := time.Now()
	d.revokeStandby(d.B, benchKey)
	until(d.B, "the revocation recorded", 10*time.Minute, func(ctx context.Context) bool {
		return len(d.signingKey(ctx, benchKey).Status.Revocations) > before
	})
	d.settled()
	return d.lastWrite(began).Sub(began)
}

// lastWrite returns when the last ConfigMap was written since a time.
func (d *distribution) lastWrite(began time.Time) time.Time {
	d.Helper()
	last := began
	for _, r := range d.audited(d.B, began) {
		if r.ObjectRef.Resource == "configmaps" && r.ObjectRef.Name != "floor" && r.write() {
			last = r.StageTimestamp.Time
		}
	}
	return last
}

// count returns how many ConfigMaps the controller wrote since a time, how many other writes it made, and how many
// ConfigMaps it read.
func (d *distribution) count(since time.Time) (writes, others, reads float64) {
	for _, r := range d.audited(d.B, since) {
		switch {
		case r.ObjectRef.Name == "floor", r.Verb == "watch":
		case r.ObjectRef.Resource == "configmaps" && r.write():
			writes++
		case r.write():
			others++
		case r.ObjectRef.Resource == "configmaps":
			reads++
		}
	}
	return writes, others, reads
}

func (d *distribution) repeat(times int, measure func() float64) (all []float64) {
	for range times {
		all = append(all, measure())
	}
	return all
}

// repair deletes a ConfigMap, as the namespace controller may, and returns the seconds until it exists again.
func (d *distribution) repair() float64 {
	d.Helper()
	namespace := fmt.Sprintf("%s-%05d", benchKey, d.n/2)
	began := time.Now()
	d.must(d.namespaceController().Delete(d.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "keywright-jwks"}}))
	until(d.B, "repaired", time.Minute, func(ctx context.Context) bool { return d.published(ctx, namespace, benchKey) != "" })
	return time.Since(began).Seconds()
}

// repairAmidAChange measures a repair while all ConfigMaps are being written.
func (d *distribution) repairAmidAChange() (took float64) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		letPass(d.Context(), time.Duration(d.n)*200*time.Microsecond)
		took = d.repair()
	}()
	d.change()
	<-done
	return took
}

func (d *distribution) namespaceController() client.Client {
	d.Helper()
	user, err := d.AddUser(envtest.User{Name: "system:serviceaccount:kube-system:namespace-controller", Groups: []string{"system:masters"}}, nil)
	d.must(err)
	as, err := client.New(user.Config(), client.Options{Scheme: d.admin.Scheme()})
	d.must(err)
	return as
}

// birth creates a namespace and returns the seconds until it has its file.
func (d *distribution) birth() float64 {
	d.Helper()
	d.born++
	name := fmt.Sprintf("%s-born-%d", benchKey, d.born)
	began := time.Now()
	d.must(d.admin.Create(d.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{benchKey: "true"}}}))
	until(d.B, "born", time.Minute, func(ctx context.Context) bool { return d.published(ctx, name, benchKey) != "" })
	return time.Since(began).Seconds()
}

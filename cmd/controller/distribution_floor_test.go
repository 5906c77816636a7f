package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	crcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// floorAccount is the user of the floor. (system:masters would be exempt from priority and fairness.)
const floorAccount = "system:serviceaccount:bench:floor"

// floorConfig creates the floor's user, and returns how it connects.
func (c *cluster) floorConfig(b *testing.B) *rest.Config {
	b.Helper()
	objects := []client.Object{
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "floor"}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create", "update", "list", "watch"},
		}}},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "floor"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "floor"},
			Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "bench", Name: "floor"}},
		},
	}
	for _, o := range objects {
		if err := client.IgnoreAlreadyExists(c.admin.Create(b.Context(), o)); err != nil {
			b.Fatal(err)
		}
	}
	user, err := c.AddUser(envtest.User{Name: floorAccount, Groups: []string{
		"system:serviceaccounts", "system:serviceaccounts:bench", "system:authenticated",
	}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	config := rest.CopyConfig(user.Config())
	config.QPS = -1
	config.ContentType, config.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf"
	return config
}

// runFloor writes all ConfigMaps of the floor, and returns how long that takes.
func (d *distribution) runFloor() time.Duration {
	d.Helper()
	began := time.Now()
	errs := make([]error, d.n)
	workqueue.ParallelizeUntil(d.Context(), 32, d.n, func(i int) {
		d.held[i].Data["main.json"] = strconv.FormatInt(began.UnixNano(), 10) + strings.Repeat("y", 400)
		d.held[i], errs[i] = d.floor.CoreV1().ConfigMaps(d.held[i].Namespace).Update(d.Context(), d.held[i], metav1.UpdateOptions{})
	})
	d.must(errors.Join(errs...))
	return time.Since(began)
}

// watchingFloorCPU returns the CPU seconds of a floor that also watches its ConfigMaps, like a controller that repairs
// them: with an informer of client-go that does nothing else.
func (d *distribution) watchingFloorCPU() float64 {
	d.Helper()
	var heard atomic.Int64
	store, informer := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: cache.NewListWatchFromClient(d.floor.CoreV1().RESTClient(), "configmaps", metav1.NamespaceAll, fields.OneTermEqualSelector("metadata.name", "floor")),
		ObjectType:    &corev1.ConfigMap{},
		Handler:       cache.ResourceEventHandlerFuncs{UpdateFunc: func(any, any) { heard.Add(1) }},
	})
	stop := make(chan struct{})
	defer close(stop)
	go informer.Run(stop)
	until(d.B, "watched", time.Minute, func(context.Context) bool { return informer.HasSynced() && len(store.ListKeys()) == d.n })
	before := cpuOf(os.Getpid())
	d.runFloor()
	until(d.B, "heard of", time.Minute, func(context.Context) bool { return heard.Load() >= int64(d.n) })
	return cpuOf(os.Getpid()) - before
}

// reconcilingFloor is the least that a controller of controller-runtime does: its only reconciler reads a ConfigMap from the
// cache, and writes it if it is not as wanted. The watch then reports the write, and the reconciler finds nothing to do.
type reconcilingFloor struct {
	client.Client
	begin  chan event.GenericEvent
	wanted atomic.Pointer[string]
	inSync atomic.Int64
}

// Reconcile implements reconcile.Reconciler.
func (f *reconcilingFloor) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	var cm corev1.ConfigMap
	wanted := f.wanted.Load()
	if err := f.Get(ctx, request.NamespacedName, &cm); err != nil || wanted == nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if cm.Data["main.json"] == *wanted {
		f.inSync.Add(1)
		return ctrl.Result{}, nil
	}
	cm.Data = map[string]string{"main.json": *wanted}
	return ctrl.Result{}, f.Update(ctx, &cm)
}

// startReconcilingFloor starts it in this process, with as many workers as the other floors, until the context ends.
func (d *distribution) startReconcilingFloor(ctx context.Context) *reconcilingFloor {
	d.Helper()
	skip := true
	mgr, err := ctrl.NewManager(d.connect, ctrl.Options{
		Scheme: d.admin.Scheme(), Metrics: server.Options{BindAddress: "0"}, Controller: config.Controller{SkipNameValidation: &skip},
		Cache: crcache.Options{DefaultTransform: crcache.TransformStripManagedFields(), ByObject: map[client.Object]crcache.ByObject{
			&corev1.ConfigMap{}: {Field: fields.OneTermEqualSelector("metadata.name", "floor")},
		}},
	})
	d.must(err)
	f := &reconcilingFloor{Client: mgr.GetClient(), begin: make(chan event.GenericEvent)}
	d.must(ctrl.NewControllerManagedBy(mgr).Named("floor").For(&corev1.ConfigMap{}).
		WatchesRawSource(source.Channel(f.begin, &handler.EnqueueRequestForObject{})).
		WithOptions(controller.Options{MaxConcurrentReconciles: 32}).Complete(f))
	go func() { _ = mgr.Start(ctx) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		d.Fatal("the cache of the floor was not filled")
	}
	return f
}

// reconcilingFloorCPU returns the CPU seconds of a change of all ConfigMaps by the reconciling floor.
func (d *distribution) reconcilingFloorCPU() float64 {
	d.Helper()
	ctx, stop := context.WithCancel(d.Context())
	defer stop()
	f := d.startReconcilingFloor(ctx)
	wanted := strconv.FormatInt(time.Now().UnixNano(), 10) + strings.Repeat("z", 400)
	f.inSync.Store(0)
	before := cpuOf(os.Getpid())
	f.wanted.Store(&wanted)
	for i := range d.held {
		f.begin <- event.GenericEvent{Object: d.held[i]}
	}
	until(d.B, "reconciled", time.Minute, func(context.Context) bool { return f.inSync.Load() >= int64(d.n) })
	took := cpuOf(os.Getpid()) - before
	for i := range d.held { // the other floors need the new resource versions
		var cm corev1.ConfigMap
		d.must(f.Get(d.Context(), client.ObjectKeyFromObject(d.held[i]), &cm))
		d.held[i] = &cm
	}
	return took
}

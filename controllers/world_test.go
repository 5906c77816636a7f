package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/distribution"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/publication"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/signingkey"
	"github.com/keywright/keywright/controllers/wiring"
)

// clock is a clock that a test steps.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// announced records the events of a controller.
type announced struct {
	mu  sync.Mutex
	all []string
}

func (a *announced) Eventf(_, _ runtime.Object, kind, reason, action, note string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = append(a.all, fmt.Sprintf("%s %s %s: %s", kind, reason, action, fmt.Sprintf(note, args...)))
}

func (a *announced) text() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return strings.Join(a.all, "\n")
}

// world is one SigningKey with its controllers on the real API server, with a clock that the test steps. The test calls
// Reconcile.
type world struct {
	*testing.T
	client.Client

	clock   *clock
	events  *announced
	name    string
	keys    *signingkey.Reconciler
	files   *distribution.Reconciler
	targets []string
}

var worlds atomic.Int64

// newWorld creates a key namespace and two targets, and reconcilers with the permissions of an admin.
func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	n := worlds.Add(1)
	w := &world{
		T: t, Client: admin(t), events: &announced{}, name: fmt.Sprintf("key-%d", n),
		clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)},
	}
	w.namespace(fmt.Sprintf("keys-%d", n), nil)
	for _, target := range []string{"shop", "warehouse"} {
		name := fmt.Sprintf("%s-%d", target, n)
		w.namespace(name, map[string]string{"trusts": w.name})
		w.targets = append(w.targets, name)
	}
	w.restart()
	return w
}

func (w *world) namespace(name string, labels map[string]string) {
	w.Helper()
	w.must(w.Create(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}))
}

// restart replaces the controllers by new ones, without their memory.
func (w *world) restart() {
	projections := desired.NewStore()
	namespace := "keys-" + strings.TrimPrefix(w.name, "key-")
	installation := &installation.Installation{Client: ownKeys{w.Client, w.name}, KeyNamespace: namespace}
	w.keys = &signingkey.Reconciler{
		Installation: installation, Client: w.Client, API: w.Client, CAs: uncached{from: w.Client}, KeyNamespace: namespace, Now: w.clock.now, Generate: jwk.Generate, Recorder: w.events,
		Projections: projections, Published: publication.NewTracker(w.clock.now), Refreshes: podrefresh.NewRequests(), Metrics: signingkey.NewMetrics(prometheus.NewRegistry(), w.clock.now),
	}
	w.files = &distribution.Reconciler{
		Installation: installation, Client: w.Client, KeyNamespace: namespace, Now: w.clock.now, Recorder: w.events,
		Projections: projections, Metrics: distribution.NewMetrics(prometheus.NewRegistry()),
		Quorum: &distribution.QuorumReader{API: ownKeys{w.Client, w.name}, KeyNamespace: namespace, Now: w.clock.now, Projections: projections},
	}
}

// uncached reads from the API server where the product reads from a cache.
type uncached struct {
	cache.Cache
	from client.Reader
}

func (u uncached) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return u.from.Get(ctx, key, o, opts...)
}

// ownKeys lists only the SigningKeys of one world: the worlds of other tests are other installations on the same API
// server.
type ownKeys struct {
	client.Reader
	name string
}

func (c ownKeys) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	err := c.Reader.List(ctx, list, opts...)
	if keys, ok := list.(*keywrightv1alpha1.SigningKeyList); ok {
		keys.Items = slices.DeleteFunc(keys.Items, func(k keywrightv1alpha1.SigningKey) bool { return k.Name != c.name })
	}
	if names, ok := list.(*metav1.PartialObjectMetadataList); ok && names.Kind == "SigningKeyList" {
		names.Items = slices.DeleteFunc(names.Items, func(k metav1.PartialObjectMetadata) bool { return k.Name != c.name })
	}
	return err
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// signingKey creates the SigningKey, with an interval of an hour, and a propagation delay and token lifetime of ten
// minutes.
func (w *world) signingKey(change ...func(*keywrightv1alpha1.SigningKey)) *keywrightv1alpha1.SigningKey {
	w.Helper()
	key := sample(w.name)
	for _, f := range change {
		f(key)
	}
	w.must(w.Create(w.Context(), key))
	return key
}

func sample(name string) *keywrightv1alpha1.SigningKey {
	minutes := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Minute} }
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	key.Spec.Rotation.Interval = minutes(60)
	key.Spec.Token.MaxLifetime, key.Spec.Token.ClockSkew = minutes(10), minutes(1)
	key.Spec.Distribution.PropagationDelay = minutes(10)
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": name}}
	return key
}

// change edits the SigningKey like an admin.
func (w *world) change(f func(*keywrightv1alpha1.SigningKey)) {
	w.Helper()
	key := w.get()
	f(key)
	w.must(w.Update(w.Context(), key))
}

func (w *world) get() *keywrightv1alpha1.SigningKey {
	w.Helper()
	var key keywrightv1alpha1.SigningKey
	w.must(w.Get(w.Context(), client.ObjectKey{Name: w.name}, &key))
	return &key
}

// settle reconciles until no more changes are due.
func (w *world) settle() {
	w.Helper()
	for range 4 {
		w.reconcileKey()
		w.reconcileFile(w.keys.KeyNamespace)
		for _, target := range w.targets {
			w.reconcileFile(target)
		}
	}
}

func (w *world) reconcileKey() {
	w.Helper()
	_, err := w.keys.Reconcile(w.Context(), wiring.Named(w.name))
	w.must(err)
}

func (w *world) reconcileFile(namespace string) ctrl.Result {
	w.Helper()
	result, err := w.files.Reconcile(w.Context(), wiring.Named(namespace))
	w.must(err)
	return result
}

// step lets time pass, then settles.
func (w *world) step(d time.Duration) {
	w.Helper()
	w.clock.step(d)
	w.settle()
}

// keyring reads the keyring.
func (w *world) keyring() rotation.Keyring {
	w.Helper()
	k, err := keystore.ReadKeyring(w.Context(), w.Client, w.keys.KeyNamespace, w.name)
	w.must(err)
	return k.Ring
}

// secret reads one of the two Secrets, nil if it is missing.
func (w *world) secret(suffix string) *corev1.Secret {
	w.Helper()
	var s corev1.Secret
	err := w.Get(w.Context(), client.ObjectKey{Namespace: w.keys.KeyNamespace, Name: w.name + suffix}, &s)
	if client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return &s
}

// signs returns the kid that the issuers sign with, empty for none.
func (w *world) signs() string {
	w.Helper()
	s := w.secret(contract.SigningKeySuffix)
	if s == nil {
		return ""
	}
	return issuerfiles.KeyID(s.Data[contract.ActiveFile])
}

// configMap reads the ConfigMap of a namespace, nil if there is none.
func (w *world) configMap(namespace string) *corev1.ConfigMap {
	w.Helper()
	var cm corev1.ConfigMap
	err := w.Get(context.WithoutCancel(w.Context()), client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	if client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return &cm
}

// trusted returns the kids in the file of a namespace, nil if there is no file.
func (w *world) trusted(namespace string) []string {
	w.Helper()
	cm := w.configMap(namespace)
	if cm == nil {
		return nil
	}
	file, ok := cm.Data[w.name+contract.JWKSSuffix]
	if !ok {
		return nil
	}
	return issuerfiles.KeyIDs([]byte(file))
}

// condition returns "status reason" of a condition.
func (w *world) condition(kind string) string {
	w.Helper()
	for _, c := range w.get().Status.Conditions {
		if c.Type == kind {
			return string(c.Status) + " " + c.Reason
		}
	}
	return "none"
}

package main

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/trustedissuer"
	"github.com/keywright/keywright/controllers/wiring"
)

// uncached reads from the API server where the product reads from a cache.
type uncached struct {
	cache.Cache
	from client.Reader
}

func (u uncached) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return u.from.Get(ctx, key, o, opts...)
}

// A new controller reconciles no TrustedIssuer before it knows the keys of every SigningKey, since one of them could be
// among its keys.
func TestNothingIsDecidedBeforeSigningKeysAreKnown(t *testing.T) {
	w := newWorld(t, "waiting")
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "waiting-key"}}
	key.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": "nobody"}}
	w.must(w.Create(t.Context(), key))
	one := newKey(t, "ES256", "one")
	b, err := one.Public().MarshalJSON()
	w.must(err)
	w.trust("https://waiting.example", keywrightv1alpha1.KeySource{Inline: `{"keys":[` + string(b) + `]}`})
	store := desired.NewStore()
	r := &trustedissuer.Reconciler{
		Client: w.Client, Fetched: uncached{from: w.Client}, API: w.Client, KeyNamespace: keyNamespace, Now: time.Now, Projections: store,
		Installation: &installation.Installation{Client: w.Client, KeyNamespace: keyNamespace}, Recorder: events.NewFakeRecorder(100),
		Refreshes: podrefresh.NewRequests(), Metrics: trustedissuer.NewMetrics(prometheus.NewRegistry()),
	}
	var keys keywrightv1alpha1.SigningKeyList
	w.must(w.List(t.Context(), &keys))
	for i := range keys.Items {
		result, err := r.Reconcile(t.Context(), wiring.Named(w.name))
		if _, decided := store.Get(w.name); err != nil || decided || result.RequeueAfter == 0 {
			t.Errorf("with %d of %d SigningKeys known: decided %v, %+v, %v", i, len(keys.Items), decided, result, err)
		}
		store.Set(keys.Items[i].Name, desired.Projection{})
	}
	w.eventually("it is decided", func() bool {
		_, err := r.Reconcile(t.Context(), wiring.Named(w.name))
		p, decided := store.Get(w.name)
		return (err == nil || client.IgnoreNotFound(err) != nil) && decided && p.Foreign
	})
}

package handover

import (
	"context"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/source"
	"github.com/keywright/keywright/controllers/desired"
)

// Reconciler fetches the keys of each TrustedIssuer periodically. A work item is one TrustedIssuer.
type Reconciler struct {
	// Client reads TrustedIssuers from the cache, and the ConfigMaps of the key namespace from the API server.
	Client client.Client
	// Cluster reads certificates, and the keys of the API server.
	Cluster source.Cluster
	// Handover writes the fetched keys.
	Handover *Handover
	// Now is the clock.
	Now func() time.Time
	// Metrics counts fetches.
	Metrics *Metrics

	// fetches has the *fetch of each TrustedIssuer, by name.
	fetches sync.Map
}

// fetch is the last fetch of one TrustedIssuer by this process.
type fetch struct {
	uid        types.UID
	generation int64
	etag       string
	due        time.Time
	failures   int
}

const (
	// minInterval is the shortest time between two fetches of one issuer.
	minInterval = 30 * time.Second
	// firstRetry is the wait after the first failed fetch. It doubles up to the refresh interval.
	firstRetry = 10 * time.Second
)

// Reconcile fetches the keys of a TrustedIssuer if a fetch is due.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ti keywrightv1alpha1.TrustedIssuer
	err := r.Client.Get(ctx, req.NamespacedName, &ti)
	if apierrors.IsNotFound(err) || err == nil && ti.Spec.Keys.Inline != "" {
		r.fetches.Delete(req.Name)
		r.Metrics.forget(req.Name)
		return ctrl.Result{}, r.Handover.Prune(ctx)
	} else if err != nil {
		return ctrl.Result{}, err
	}
	last := r.lastFetch(&ti)
	now := r.Now()
	if wait := last.due.Sub(now); wait > 0 {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	handedOver, err := r.Handover.Of(ctx, &ti)
	if err != nil {
		return ctrl.Result{}, err
	}
	etag := last.etag
	if len(handedOver.KeySet) == 0 || handedOver.Failure != "" { // fetch the whole key set
		etag = ""
	}
	keys, failure := source.Read(ctx, &ti.Spec, r.Cluster, etag)
	if ctx.Err() != nil {
		return ctrl.Result{}, ctx.Err()
	}
	r.Metrics.fetched(ti.Name, r.Now(), failure)
	if failure != nil {
		log.FromContext(ctx).Info("Failed to fetch the keys; the keys of the last valid response stay in use", "reason", plain(failure))
	}
	name, err := desired.SourceOf(&ti.Spec)
	if err != nil {
		return ctrl.Result{}, err
	}
	next := nextEntry(handedOver, &ti, name, keys, failure, now)
	if err := r.Handover.Put(ctx, &ti, handedOver, next); err != nil {
		return ctrl.Result{}, err
	}
	wait := last.next(&ti.Spec, keys, failure)
	last.due = now.Add(wait)
	r.Metrics.due(ti.Name, last.due)
	r.fetches.Store(ti.Name, last)
	return ctrl.Result{RequeueAfter: wait}, nil
}

// lastFetch returns the last fetch of a TrustedIssuer, an empty one if the object was replaced or changed since.
func (r *Reconciler) lastFetch(ti *keywrightv1alpha1.TrustedIssuer) *fetch {
	if known, ok := r.fetches.Load(ti.Name); ok {
		if f, ok := known.(*fetch); ok && f.uid == ti.UID && f.generation == ti.Generation {
			return f
		}
	}
	return &fetch{uid: ti.UID, generation: ti.Generation}
}

// next returns the time until the next fetch. It is shorter than refreshInterval if the server sends a shorter max-age,
// and up to a tenth shorter in any case, to spread the fetches of many issuers.
func (f *fetch) next(spec *keywrightv1alpha1.TrustedIssuerSpec, keys source.Keys, failure error) time.Duration {
	interval := max(spec.RefreshInterval.Duration, minInterval)
	if failure != nil {
		f.failures++
		f.etag = ""
		return min(interval, firstRetry<<min(f.failures-1, 10))
	}
	f.failures, f.etag = 0, keys.ETag
	if keys.MaxAge > 0 {
		interval = min(interval, max(keys.MaxAge, minInterval))
	}
	return interval - time.Duration(rand.Int64N(int64(interval/10))) //nolint:gosec // no secret
}

// addresses matches the local address of a connection, which differs each time.
var addresses = regexp.MustCompile(`\S+->`)

// plain returns the text of an error without parts that differ each time, so that the status does not change with each
// fetch.
func plain(err error) string { return addresses.ReplaceAllString(err.Error(), "") }

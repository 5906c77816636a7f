package trustedissuer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/distribution"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/podrefresh"
)

// Reconciler reconciles the projection and the status of each TrustedIssuer.
type Reconciler struct {
	// Client reads TrustedIssuers, SigningKeys, Namespaces and ConfigMaps from the cache, and writes statuses.
	Client client.Client
	// Fetched is a cache of the ConfigMap of the fetcher.
	Fetched cache.Cache
	// API reads Secrets from the API server.
	API client.Reader
	// KeyNamespace has the Secrets and the ConfigMap of the fetcher.
	KeyNamespace string
	// Installation reports whether another installation reconciles the objects of this cluster.
	Installation *installation.Installation
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections gives the result to the distribution.
	Projections *desired.Store
	// Refreshes requests nudges of pods after a key was withdrawn.
	Refreshes *podrefresh.Requests
	// Metrics has the conditions, keys and fetch times.
	Metrics *Metrics

	// published has the last published kids, by name of the TrustedIssuer.
	published sync.Map
	// reportedAt is when the status was last written, by name of the TrustedIssuer.
	reportedAt sync.Map
}

// pass has the observations of one reconciliation of a TrustedIssuer.
type pass struct {
	ti    *keywrightv1alpha1.TrustedIssuer
	entry fetched.Entry
	// taken is set if a SigningKey has the name.
	taken   bool
	trusted desired.Trusted
	targets targets
	now     time.Time
	// wake is when to reconcile again, zero if no time is due.
	wake time.Time
}

// waitForSigningKeys is when to reconcile again while the keys of a SigningKey are not known yet.
const waitForSigningKeys = time.Second

// recheckNameEvery is how often to check whether a SigningKey of the same name, and its Secrets, still exist.
const recheckNameEvery = 10 * time.Second

// Reconcile updates the projection and the status of a TrustedIssuer.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var ti keywrightv1alpha1.TrustedIssuer
	err := r.Client.Get(ctx, req.NamespacedName, &ti)
	if apierrors.IsNotFound(err) {
		r.forget(req.Name)
		return ctrl.Result{}, nil
	} else if err != nil {
		return ctrl.Result{}, err
	}
	if owner, err := r.Installation.Owner(ctx); err != nil || owner != "" {
		return ctrl.Result{RequeueAfter: time.Minute}, err // reported for each SigningKey
	}
	known, err := r.knowsSigningKeys(ctx)
	if err != nil || !known {
		return ctrl.Result{RequeueAfter: waitForSigningKeys}, err
	}
	p := &pass{ti: &ti, now: r.Now()}
	if p.taken, err = r.nameTaken(ctx, ti.Name); err != nil {
		return ctrl.Result{}, err
	}
	if p.entry, err = distribution.Fetched(ctx, r.Fetched, r.KeyNamespace, ti.Name); err != nil {
		return ctrl.Result{}, err
	}
	p.trusted = desired.OfTrustedIssuer(&ti, p.entry, desired.KeyIDsOfSigningKeys(r.Projections.All()), r.KeyNamespace, p.now)
	if p.taken {
		r.Projections.Retract(ti.Name)
		p.wakeAt(p.now.Add(recheckNameEvery))
	} else {
		r.Projections.Set(ti.Name, p.trusted.Projection)
	}
	if err := r.observeTargets(ctx, p); err != nil {
		return ctrl.Result{}, err
	}
	r.nudgeWithdrawn(p)
	err = r.report(ctx, p)
	if keystore.LostRace(err) {
		log.FromContext(ctx).V(1).Info("Retrying after a conflict with another write")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	return ctrl.Result{RequeueAfter: p.wakeIn()}, err
}

// knowsSigningKeys reports whether the keys of every SigningKey are known. No TrustedIssuer may have one of them.
func (r *Reconciler) knowsSigningKeys(ctx context.Context) (bool, error) {
	var keys keywrightv1alpha1.SigningKeyList
	if err := r.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		return false, fmt.Errorf("list SigningKeys: %w", err)
	}
	for i := range keys.Items {
		if r.Installation.OtherOwner(&keys.Items[i]) != "" {
			continue
		}
		if p, ok := r.Projections.Get(keys.Items[i].Name); !ok || p.Foreign {
			return false, nil
		}
	}
	return true, nil
}

// nameTaken reports whether a SigningKey has the name, or retained Secrets of one.
func (r *Reconciler) nameTaken(ctx context.Context, name string) (bool, error) {
	var key keywrightv1alpha1.SigningKey
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &key)
	if err == nil || !apierrors.IsNotFound(err) {
		return err == nil, err
	}
	if p, ok := r.Projections.Get(name); ok {
		return !p.Foreign, nil
	}
	return keystore.Has(ctx, r.API, r.KeyNamespace, name)
}

// nudgeWithdrawn requests nudges of pods for keys that are no longer published: those that this process has published,
// and those that are still in files.
func (r *Reconciler) nudgeWithdrawn(p *pass) {
	name := p.ti.Name
	if p.taken || p.trusted.Projection.Frozen {
		return
	}
	var now []string
	for _, k := range p.trusted.Keys {
		now = append(now, k.ID)
	}
	var before []string
	if seen, ok := r.published.Load(name); ok {
		before, _ = seen.([]string)
	}
	var withdrawn []string
	for _, id := range slices.Concat(before, p.targets.held) {
		if !slices.Contains(now, id) && !slices.Contains(withdrawn, id) {
			withdrawn = append(withdrawn, id)
		}
	}
	r.published.Store(name, now)
	r.Refreshes.Reset(name, now)
	if len(withdrawn) == 0 {
		return
	}
	if p.ti.Spec.Withdrawn != keywrightv1alpha1.Wait {
		r.Refreshes.Add(name, withdrawn)
	}
	if len(before) > 0 {
		r.Recorder.Eventf(p.ti, nil, corev1.EventTypeNormal, "KeysWithdrawn", "Distribute",
			"The issuer no longer publishes %d keys: they are being removed from the files of all namespaces", len(withdrawn))
	}
}

func (p *pass) wakeIn() time.Duration {
	if p.wake.IsZero() {
		return 0
	}
	return max(p.wake.Sub(p.now), time.Millisecond)
}

// wakeAt sets the next reconciliation to at, unless it is earlier.
func (p *pass) wakeAt(at time.Time) {
	if at.After(p.now) && (p.wake.IsZero() || at.Before(p.wake)) {
		p.wake = at
	}
}

// forget removes what this process remembers of a name without a TrustedIssuer.
func (r *Reconciler) forget(name string) {
	r.Projections.Retract(name)
	r.Refreshes.Forget(name)
	r.Metrics.forget(name)
	r.published.Delete(name)
	r.reportedAt.Delete(name)
}

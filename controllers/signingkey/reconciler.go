package signingkey

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/installation"
	"github.com/keywright/keywright/controllers/istio"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/podrefresh"
	"github.com/keywright/keywright/controllers/publication"
	"github.com/keywright/keywright/controllers/rotation"
)

// Reconciler reconciles the keyring, the signing-key Secret and the status of each SigningKey, and gives the
// distribution its public files.
type Reconciler struct {
	// Client reads SigningKeys, Namespaces and ConfigMaps from the cache, and writes.
	Client client.Client
	// API reads Secrets from the API server, never from a cache.
	API client.Reader
	// CAs is a cache of the ConfigMaps of the key namespace with contract.RoleIssuerCA. If it is nil, no CA is
	// distributed.
	CAs cache.Cache
	// Istio has the RequestAuthentications. It is nil if the controller runs without --istio.
	Istio *istio.Objects
	// KeyNamespace holds the Secrets.
	KeyNamespace string
	// Installation reports whether another installation reconciles the SigningKeys of this cluster.
	Installation *installation.Installation
	// Now is the clock.
	Now func() time.Time
	// Generate generates a key pair.
	Generate func(rotation.KeySpec) (rotation.Material, error)
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections gives the result to the distribution.
	Projections *desired.Store
	// Published has the times at which targets got each key.
	Published *publication.Tracker
	// Refreshes requests nudges of pods after a revocation, and has their progress.
	Refreshes *podrefresh.Requests
	// Metrics counts moves and keys.
	Metrics *Metrics

	// seenRevoked has the key IDs that each SigningKey has ever revoked in its spec, by name. They are not lost if a
	// GitOps tool resets the spec before the keyring is written.
	seenRevoked sync.Map
	// pending has the revocations that are not in the keyring yet, by name of the SigningKey.
	pending sync.Map
	// reportedRequest has the last event about the rotation request of each SigningKey, so that it is reported once.
	reportedRequest sync.Map
	// reported has the last written status of each SigningKey.
	reported sync.Map
}

// maxPasses limits the passes of one reconciliation: Prepare, Activate and the next Prepare follow one another without
// waiting for events.
const maxPasses = 8

// Reconcile observes, decides and applies until no more steps are due for a SigningKey, then updates its status. A name
// without a SigningKey is reconciled too, since its keyring may have been retained.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	key, err := r.get(ctx, req.Name)
	if err != nil || key != nil && key.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(key, contract.Finalizer) {
		return ctrl.Result{}, err
	}
	if owner, err := r.otherOwner(ctx, key); err != nil || owner != "" {
		r.reportOtherInstallation(ctx, key, owner)
		return ctrl.Result{RequeueAfter: time.Minute}, err
	}
	p, err := r.passes(ctx, req.Name, key)
	if err == nil && !p.released {
		err = errors.Join(r.report(ctx, p), p.refusal)
	}
	if err == nil || p != nil && p.refusal != nil {
		err = errors.Join(err, r.reportRevocations(ctx, p))
	}
	switch {
	case keystore.LostRace(err):
		log.FromContext(ctx).V(1).Info("Retrying after a conflict with another write")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	case err != nil:
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: p.wakeIn()}, nil
}

// get returns a SigningKey, nil if there is none.
func (r *Reconciler) get(ctx context.Context, name string) (*keywrightv1alpha1.SigningKey, error) {
	var key keywrightv1alpha1.SigningKey
	err := r.Client.Get(ctx, client.ObjectKey{Name: name}, &key)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return &key, err
}

// otherOwner returns the key namespace of another installation that reconciles this SigningKey, empty if this one does.
func (r *Reconciler) otherOwner(ctx context.Context, key *keywrightv1alpha1.SigningKey) (string, error) {
	if key == nil {
		return "", nil
	}
	owner, err := r.Installation.Owner(ctx)
	if err == nil && owner == "" {
		owner = r.Installation.OtherOwner(key)
	}
	return owner, err
}

// passes runs passes until one changes nothing.
func (r *Reconciler) passes(ctx context.Context, name string, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	for left := maxPasses; ; left-- {
		p, err := r.onePass(ctx, name, key)
		if err != nil || !p.changed || p.refusal != nil || left == 1 {
			return p, err
		}
	}
}

// onePass observes, decides and applies, in this order.
func (r *Reconciler) onePass(ctx context.Context, name string, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	p, err := r.observe(ctx, name, key)
	if err != nil {
		return p, err
	}
	if err := p.decide(); err != nil {
		return p, err
	}
	return p, r.apply(ctx, p)
}

// wakeIn returns the time until the next reconciliation is due without a change, 0 if none is.
func (p *pass) wakeIn() time.Duration {
	wake := p.decision.Wake
	for _, at := range []time.Time{p.overdueAt(), p.reportAgain} {
		if at.After(p.now) && (wake.IsZero() || at.Before(wake)) {
			wake = at
		}
	}
	if p.changed {
		return 100 * time.Millisecond
	}
	if wake.IsZero() {
		return 0
	}
	return max(wake.Sub(p.now), time.Millisecond)
}

// forget removes what this process remembers of a SigningKey that no longer exists.
func (r *Reconciler) forget(name string) {
	r.Metrics.forget(name)
	r.Refreshes.Forget(name)
	r.Published.Forget(name)
	r.seenRevoked.Delete(name)
	r.pending.Delete(name)
	r.reported.Delete(name)
}

package controllers

import (
	"context"
	"errors"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// SigningKeyReconciler keeps the keyring, the signing-key Secret and the status of each SigningKey, and tells the
// distribution what to publish.
type SigningKeyReconciler struct {
	// Client reads SigningKeys, Namespaces and ConfigMaps from the cache, and writes.
	Client client.Client
	// API reads Secrets from the API server itself: the truth is never taken from a cache.
	API client.Reader
	// KeyNamespace holds the Secrets.
	KeyNamespace string
	// Installation knows whether another one reconciles the SigningKeys of this cluster.
	Installation *Installation
	// Now is the clock.
	Now func() time.Time
	// Generate makes a key pair.
	Generate func(rotation.KeySpec) (rotation.Material, error)
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections hands the result to the distribution.
	Projections *Projections
	// Published says when a target last came to hold each key.
	Published *PublicationTracker
	// Nudges asks for kubelets to be nudged after a revocation, and knows how far that is.
	Nudges *Nudges
	// Metrics counts moves and keys.
	Metrics *Metrics

	// seenRevoked are the key IDs that each SigningKey ever named, by its name: what was seen once is not lost when a GitOps
	// tool resets the spec before the keyring could record it.
	seenRevoked sync.Map
	// pending are the revocations that no keyring records yet, by name of the SigningKey.
	pending sync.Map
	// reportedRequest is what was said last of the rotation request of each SigningKey, so that it is said once.
	reportedRequest sync.Map
	// reported is what was written last to the status of each SigningKey.
	reported sync.Map
}

// maxPasses bounds how often one reconciliation plans again: Prepare, Activate, the next Prepare and what was seen of them
// follow one another without waiting for events.
const maxPasses = 8

// Reconcile brings one SigningKey a step, or several, to where its policy wants it.
func (r *SigningKeyReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	var key keywrightv1alpha1.SigningKey
	err := r.Client.Get(ctx, req.NamespacedName, &key)
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, r.reconcileRetained(ctx, req.Name)
	case err != nil:
		return ctrl.Result{}, err
	case key.DeletionTimestamp != nil && !controllerutil.ContainsFinalizer(&key, contract.Finalizer):
		return ctrl.Result{}, nil
	}
	owner, err := r.Installation.owner(ctx)
	if err == nil && owner == "" {
		owner = r.Installation.otherOwner(&key)
	}
	if err != nil || owner != "" {
		r.sayWhoseItIs(ctx, &key, owner)
		return ctrl.Result{RequeueAfter: time.Minute}, err
	}
	result, err := r.reconcileKey(ctx, &key)
	if lostRace(err) {
		log.FromContext(ctx).V(1).Info("Another write came first, reading again")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	return result, err
}

func (r *SigningKeyReconciler) reconcileKey(ctx context.Context, key *keywrightv1alpha1.SigningKey) (ctrl.Result, error) {
	var notTakenUp error
	if key.DeletionTimestamp == nil {
		if notTakenUp = r.takeUp(ctx, key); lostRace(notTakenUp) {
			return ctrl.Result{}, notTakenUp
		}
	} else if key.Spec.DeletionPolicy != keywrightv1alpha1.Drain && key.Spec.DeletionPolicy != keywrightv1alpha1.Delete {
		gone, err := r.retain(ctx, key)
		refused := gone && err != nil && !lostRace(err)
		if !refused && (gone || err != nil) {
			return ctrl.Result{}, err
		}
		notTakenUp = err // until it can go, its keys are looked after, and the status says why it stays
	}
	p, err := r.reconcileKeys(ctx, key, notTakenUp)
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: p.wakeIn()}, nil
}

// reconcileKeys runs passes until nothing is left to do at once, then reports.
func (r *SigningKeyReconciler) reconcileKeys(
	ctx context.Context, key *keywrightv1alpha1.SigningKey, notTakenUp error,
) (*pass, error) {
	var p *pass
	for range maxPasses {
		var err error
		if p, err = r.onePass(ctx, key); err != nil {
			return nil, err
		}
		if !p.changed || p.refusal != nil {
			break
		}
	}
	if p.refusal == nil && notTakenUp != nil {
		p.refuse("the finalizer of the SigningKey", notTakenUp)
	}
	if p.decision.Ended && p.trouble == nil && !p.changed {
		r.sayWhoWasLeft(p)
		err := r.finish(ctx, key)
		if err == nil || lostRace(err) {
			return p, err
		}
		p.refuse("the deletion of its Secrets", err)
	}
	r.askForNudges(p)
	r.Metrics.observe(p)
	return p, errors.Join(r.report(ctx, p), p.refusal)
}

// onePass observes, decides, and applies, in this order.
func (r *SigningKeyReconciler) onePass(ctx context.Context, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	p, err := r.observe(ctx, key)
	if err != nil {
		return p, err
	}
	if err := p.decide(); err != nil {
		return p, err
	}
	r.trackPending(p)
	return p, r.apply(ctx, p)
}

// wakeIn is how long nothing needs to be done if nothing changes, 0 for ever.
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

package controllers

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
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
	// Now is the clock.
	Now func() time.Time
	// Recorder writes events.
	Recorder events.EventRecorder
	// Projections hands the result to the distribution.
	Projections *Projections
	// Given says when a target last came to hold each key.
	Given *Given
	// Nudges asks for kubelets to be nudged after a revocation, and knows how far that is.
	Nudges *Nudges
	// Metrics counts moves and keys.
	Metrics *Metrics

	// lettingGo is since when the files of a SigningKey are being taken away.
	lettingGo sync.Map
	// reportedRequest is what was said last of the rotation request of each SigningKey, so that it is said once.
	reportedRequest sync.Map
	// reportedAt is when the status of each SigningKey was written last.
	reportedAt sync.Map
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
	result, err := r.reconcileKey(ctx, &key)
	if lostRace(err) {
		log.FromContext(ctx).V(1).Info("Another write came first, reading again")
		return ctrl.Result{RequeueAfter: 50 * time.Millisecond}, nil
	}
	return result, err
}

func (r *SigningKeyReconciler) reconcileKey(ctx context.Context, key *keywrightv1alpha1.SigningKey) (ctrl.Result, error) {
	if key.DeletionTimestamp == nil {
		if err := r.changeFinalizers(ctx, key, controllerutil.AddFinalizer); err != nil {
			return ctrl.Result{}, err
		}
	}
	if key.DeletionTimestamp != nil && key.Spec.DeletionPolicy != keywrightv1alpha1.Drain {
		if done, result, err := r.letGo(ctx, key); done || err != nil {
			return result, err
		}
	}
	p, err := r.reconcileKeys(ctx, key)
	if err != nil {
		return ctrl.Result{}, err
	}
	if p.drained() {
		return r.finish(ctx, key, p.targets.holders)
	}
	return ctrl.Result{RequeueAfter: p.wakeIn()}, nil
}

// pass is what one look at a SigningKey found and did.
type pass struct {
	key     *keywrightv1alpha1.SigningKey
	policy  rotation.Policy
	keyring keyringSecret
	secret  *corev1.Secret
	targets targets
	now     time.Time
	// podsLeft is, for each revoked key whose nudging is not done, how many pods wait for it.
	podsLeft map[string]int32

	decision rotation.Decision
	// changed tells whether something was written, and another pass may find more to do.
	changed bool
	// trouble keeps the controller from planning; its reason is a condition reason.
	trouble *trouble
	// reportAgain is when to report progress that was not reported now, or zero.
	reportAgain time.Time
}

// trouble is a state that only an admin can end.
type trouble struct {
	reason  string
	message string
}

// reconcileKeys runs passes until nothing is left to do at once, then reports.
func (r *SigningKeyReconciler) reconcileKeys(ctx context.Context, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	var p *pass
	for range maxPasses {
		var err error
		if p, err = r.onePass(ctx, key); err != nil {
			return nil, err
		}
		if !p.changed {
			break
		}
	}
	r.askForNudges(p)
	r.Metrics.observe(p)
	return p, r.report(ctx, p)
}

// onePass reads, plans, writes the keyring, hands it on, and writes the signing-key Secret, in this order.
func (r *SigningKeyReconciler) onePass(ctx context.Context, key *keywrightv1alpha1.SigningKey) (*pass, error) {
	p, at, err := r.read(ctx, key)
	if err != nil || p.trouble != nil {
		return p, err
	}
	p.decision = rotation.Plan(p.now, p.policy, p.keyring.ring, rotation.Observed{
		At: at, Secret: observeSecret(p.secret), Lagging: p.targets.lagging, Given: r.Given.at(key.Name, p.keyring.ring.PublishedIDs()),
		Holding: p.targets.holding, Nudged: r.Nudges.finished(key.Name),
	})
	if p.decision.Restored {
		return p, r.freezeRestored(ctx, p)
	}
	if p.decision.Wanted != nil {
		material, err := generate(*p.decision.Wanted)
		if err != nil {
			return p, err
		}
		p.decision.Prepare(p.now, material)
	}
	if err := r.writeTruth(ctx, p); err != nil {
		return p, err
	}
	return p, r.writeSecret(ctx, p)
}

// writeTruth writes the keyring if it changed, then hands it to the distribution.
func (r *SigningKeyReconciler) writeTruth(ctx context.Context, p *pass) error {
	if p.keyring.object == nil || !p.decision.Next.Equal(p.keyring.ring) {
		if err := r.beforeCreatingKeyring(ctx, p); err != nil {
			return err
		}
		written, err := writeKeyring(ctx, r.Client, r.KeyNamespace, p.key.Name, p.keyring.object, p.decision.Next)
		if err != nil {
			return err
		}
		p.keyring, p.changed = written, true
		r.announce(ctx, p)
	}
	r.publish(p)
	return nil
}

// publish hands the keyring, which was just read or written, to the distribution.
func (r *SigningKeyReconciler) publish(p *pass) {
	projected := newProjection(&p.keyring.ring, r.Now())
	projected.selector, projected.keepFor = p.targets.selector, keepFor(p.policy)
	r.Projections.set(p.key.Name, projected)
}

// writeSecret brings the signing-key Secret up to the keyring. Only the pass that read it may replace it.
func (r *SigningKeyReconciler) writeSecret(ctx context.Context, p *pass) error {
	want := projectSecret(r.KeyNamespace, p.key.Name, &p.keyring.ring, p.policy, p.secret)
	if sameSecret(p.secret, want) {
		return nil
	}
	if err := r.beforeCreatingSecret(ctx, p); err != nil {
		return err
	}
	if err := createOrUpdate(ctx, r.Client, want, p.secret); err != nil {
		return err
	}
	p.secret, p.changed = want, true
	return nil
}

// beforeCreatingKeyring looks again whether the signing-key Secret is as it was read. A pass that stalled since then must not
// begin a keyring anew in place of one that came and went meanwhile.
func (r *SigningKeyReconciler) beforeCreatingKeyring(ctx context.Context, p *pass) error {
	if p.keyring.object != nil {
		return nil
	}
	now, err := readSigningKeySecret(ctx, r.API, r.KeyNamespace, p.key.Name)
	switch {
	case err != nil:
		return err
	case (now == nil) != (p.secret == nil), now != nil && now.ResourceVersion != p.secret.ResourceVersion:
		return errOvertaken
	}
	return nil
}

// beforeCreatingSecret looks again whether the keyring is as it was read: an older projection must not take the place of a
// Secret that came and went meanwhile.
func (r *SigningKeyReconciler) beforeCreatingSecret(ctx context.Context, p *pass) error {
	if p.secret != nil {
		return nil
	}
	now, err := readKeyring(ctx, r.API, r.KeyNamespace, p.key.Name)
	switch {
	case err != nil:
		return err
	case now.object == nil, now.object.ResourceVersion != p.keyring.object.ResourceVersion:
		return errOvertaken
	}
	return nil
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

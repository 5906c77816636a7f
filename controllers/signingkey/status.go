package signingkey

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// ProgressEvery is how often the status is updated while a distribution proceeds. Its beginning and its end are
// reported at once.
const ProgressEvery = 10 * time.Second

// reportedStatus is a status that was written, and what the API server stored.
type reportedStatus struct {
	sent, stored *keywrightv1alpha1.SigningKeyStatus
	at           time.Time
	// noTargets is set if the status reported that the selector selects no namespace.
	noTargets bool
}

// report updates the metrics of a SigningKey, and its status if it changed.
func (r *Reconciler) report(ctx context.Context, p *pass) error {
	r.Metrics.observe(p)
	r.reportRequest(p)
	key := p.key.DeepCopy()
	key.Status = p.status(key.Status.Conditions)
	if equality.Semantic.DeepEqual(key.Status, p.key.Status) {
		return nil
	}
	last := r.lastReport(p.name)
	if last.sent != nil && equality.Semantic.DeepEqual(key.Status, *last.sent) && equality.Semantic.DeepEqual(p.key.Status, *last.stored) {
		return nil // an older CRD drops unknown fields: writing them again changes nothing
	}
	if last.at.Add(ProgressEvery).After(p.now) && onlyProgress(&p.key.Status, &key.Status) {
		p.reportAgain = last.at.Add(ProgressEvery)
		return nil
	}
	sent := key.Status.DeepCopy()
	if err := r.Client.Status().Update(ctx, key); err != nil {
		return err
	}
	r.reported.Store(p.name, reportedStatus{sent, key.Status.DeepCopy(), p.now, p.targets.matched == 0})
	if !equality.Semantic.DeepEqual(*sent, key.Status) {
		log.FromContext(ctx).Info("The API server dropped fields of the status: apply the CRDs of this version")
	}
	r.warnOfNoTargets(p, last)
	r.warnOfTrouble(p)
	p.key.ResourceVersion, p.key.Status = key.ResourceVersion, key.Status
	return nil
}

func (r *Reconciler) lastReport(name string) reportedStatus {
	stored, _ := r.reported.Load(name)
	last, _ := stored.(reportedStatus)
	return last
}

// warnOfTrouble writes an event when a SigningKey begins to need an admin.
func (r *Reconciler) warnOfTrouble(p *pass) {
	before := meta.FindStatusCondition(p.key.Status.Conditions, keywrightv1alpha1.ConditionStalled)
	if p.trouble == nil || before != nil && before.Reason == p.trouble.reason && before.Message == p.trouble.message {
		return
	}
	r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, p.trouble.reason, "Reconcile", "%s", p.trouble.message)
}

// warnOfNoTargets writes an event when a selector begins to select no namespace, since it may be misspelt.
func (r *Reconciler) warnOfNoTargets(p *pass, last reportedStatus) {
	before := meta.FindStatusCondition(p.key.Status.Conditions, keywrightv1alpha1.ConditionDistributed)
	reported := last.noTargets || last.sent == nil && before != nil && before.Reason == keywrightv1alpha1.ReasonNoTargets
	if p.targets.matched == 0 && p.targets.selector != nil && !p.frozen() && !reported {
		r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, keywrightv1alpha1.ReasonNoTargets, "Distribute",
			"distribution.namespaceSelector selects no namespace: no service gets the public keys")
	}
}

// onlyProgress reports whether two statuses differ only in the progress of a distribution that is not complete.
func onlyProgress(was, is *keywrightv1alpha1.SigningKeyStatus) bool {
	same := is.DeepCopy()
	// behind reports whether a condition has the reason TargetsBehind before and now, and then ignores its message.
	behind := func(kind string) bool {
		before, after := meta.FindStatusCondition(was.Conditions, kind), meta.FindStatusCondition(same.Conditions, kind)
		if before == nil || after == nil || before.Reason != keywrightv1alpha1.ReasonTargetsBehind {
			return false
		}
		after.Message, after.ObservedGeneration = before.Message, before.ObservedGeneration
		return true
	}
	keys := is.Targets.InSync != is.Targets.Selected && behind(keywrightv1alpha1.ConditionDistributed)
	if keys {
		same.Targets = was.Targets
	}
	ca, proxies := behind(keywrightv1alpha1.ConditionCADistributed), behind(keywrightv1alpha1.ConditionIstioDistributed)
	return (keys || ca || proxies) && equality.Semantic.DeepEqual(was, same)
}

// status returns the status after a pass. The given conditions only provide transition times.
func (p *pass) status(was []metav1.Condition) keywrightv1alpha1.SigningKeyStatus {
	ring := &p.keyring.Ring
	s := keywrightv1alpha1.SigningKeyStatus{
		ObservedGeneration: p.key.Generation,
		Conditions:         slices.Clone(was),
		KeyringGeneration:  ring.Generation,
		Keys:               p.keyStatuses(),
		Targets:            p.targetsStatus(),
		Revocations:        p.keyRevocations(),
		NextRotationTime:   report.TimeOrNil(p.nextRotation()),
	}
	if a := ring.Active(); a != nil {
		s.ActiveKeyID = a.ID
	}
	s.HandledRotateRequest = report.TimeOrNil(ring.HandledRequest)
	if p.targets.gateway == nil {
		meta.RemoveStatusCondition(&s.Conditions, keywrightv1alpha1.ConditionGatewayEntry)
	}
	if p.caDistributed() == nil {
		meta.RemoveStatusCondition(&s.Conditions, keywrightv1alpha1.ConditionCADistributed)
	}
	if p.istioDistributed() == nil {
		meta.RemoveStatusCondition(&s.Conditions, keywrightv1alpha1.ConditionIstioDistributed)
	}
	if p.trouble == nil {
		meta.RemoveStatusCondition(&s.Conditions, keywrightv1alpha1.ConditionStalled)
	}
	for _, c := range p.conditions() {
		c.ObservedGeneration, c.LastTransitionTime = p.key.Generation, metav1.NewTime(p.now.Truncate(time.Second))
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

func (p *pass) keyStatuses() []keywrightv1alpha1.KeyStatus {
	var out []keywrightv1alpha1.KeyStatus
	for i := range p.keyring.Ring.Keys {
		k := &p.keyring.Ring.Keys[i]
		if !k.Published() {
			continue
		}
		s := keywrightv1alpha1.KeyStatus{
			KeyID: k.ID, Algorithm: keywrightv1alpha1.Algorithm(k.Algorithm), State: string(k.State),
			PreparedAt: report.TimeOrNil(k.PreparedAt), PublishedAt: report.TimeOrNil(k.PublishedAt),
			ActivatedAt: report.TimeOrNil(k.ActivatedAt), RetiredAt: report.TimeOrNil(k.RetiredAt),
		}
		if k.State == rotation.Retired {
			s.RemovalTime = report.TimeOrNil(p.policy.RemovalTime(k))
		}
		if k.State == rotation.Active && !k.PublishedAt.IsZero() {
			if known := k.PublishedAt.Add(p.policy.PropagationDelay); known.After(k.ActivatedAt) {
				s.KnownEverywhereAt = report.TimeOrNil(known)
			}
		}
		out = append(out, s)
	}
	return out
}

func (p *pass) targetsStatus() keywrightv1alpha1.TargetsStatus {
	t := &p.targets
	s := keywrightv1alpha1.TargetsStatus{
		Selected: int32(t.selected), InSync: int32(t.inSync), Kept: int32(t.kept), //nolint:gosec // no cluster has 2^31 namespaces
		Summary: fmt.Sprintf("%d/%d", t.inSync, t.selected),
	}
	s.Behind = slices.Clone(t.behind[:min(len(t.behind), report.MostNames)])
	s.LeftBehind = slices.Clone(t.leftBehind[:min(len(t.leftBehind), report.MostNames)])
	return s
}

func (p *pass) nextRotation() time.Time {
	r := p.decision.Rotation
	if at := r.At(); !at.IsZero() {
		return at
	}
	return r.Due
}

package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// maxBehind is how many namespaces the status names.
const maxBehind = 10

// progressEvery is how often the status tells how many targets have the current keys while they are being written. That it began
// and that it ended is told at once.
const progressEvery = 10 * time.Second

// report writes the status if it says anything new.
func (r *SigningKeyReconciler) report(ctx context.Context, p *pass) error {
	r.reportRequest(p)
	key := p.key.DeepCopy()
	key.Status = p.status(key.Status.Conditions)
	if equality.Semantic.DeepEqual(key.Status, p.key.Status) {
		return nil
	}
	told, _ := r.reportedAt.Load(p.key.UID)
	if at, ok := told.(time.Time); ok && at.Add(progressEvery).After(p.now) && onlyProgress(&p.key.Status, &key.Status) {
		p.reportAgain = at.Add(progressEvery)
		return nil
	}
	if err := r.Client.Status().Update(ctx, key); err != nil {
		return err
	}
	r.reportedAt.Store(p.key.UID, p.now)
	r.warnOfNoTargets(p, key.Status.Conditions)
	p.key.ResourceVersion, p.key.Status = key.ResourceVersion, key.Status
	return nil
}

// warnOfNoTargets says it once when a selector comes to select nothing: it may be mistyped.
func (r *SigningKeyReconciler) warnOfNoTargets(p *pass, is []metav1.Condition) {
	reason := func(all []metav1.Condition) string {
		if c := meta.FindStatusCondition(all, keywrightv1alpha1.ConditionDistributed); c != nil {
			return c.Reason
		}
		return ""
	}
	if reason(is) == keywrightv1alpha1.ReasonNoTargets && reason(p.key.Status.Conditions) != keywrightv1alpha1.ReasonNoTargets {
		r.Recorder.Eventf(p.key, nil, corev1.EventTypeWarning, keywrightv1alpha1.ReasonNoTargets, "Distribute",
			"distribution.namespaceSelector selects no namespace: nobody gets the public keys")
	}
}

// onlyProgress tells whether two statuses differ in how far a distribution is, which goes on, and in nothing else.
func onlyProgress(was, is *keywrightv1alpha1.SigningKeyStatus) bool {
	before := meta.FindStatusCondition(was.Conditions, keywrightv1alpha1.ConditionDistributed)
	if before == nil || before.Reason != keywrightv1alpha1.ReasonTargetsBehind || is.Targets.InSync == is.Targets.Selected {
		return false
	}
	same := is.DeepCopy()
	same.Targets = was.Targets
	after := meta.FindStatusCondition(same.Conditions, keywrightv1alpha1.ConditionDistributed)
	after.Message, after.ObservedGeneration = before.Message, before.ObservedGeneration
	return equality.Semantic.DeepEqual(was, same)
}

// status says what the pass found. The given conditions only lend their transition times.
func (p *pass) status(was []metav1.Condition) keywrightv1alpha1.SigningKeyStatus {
	ring := &p.keyring.ring
	s := keywrightv1alpha1.SigningKeyStatus{
		ObservedGeneration: p.key.Generation,
		Conditions:         slices.Clone(was),
		KeyringGeneration:  ring.Generation,
		Keys:               p.keyStatuses(),
		Targets:            p.targetsStatus(),
		Revocations:        p.revocations(),
		NextRotationTime:   timeOrNil(p.nextRotation()),
	}
	if a := ring.Active(); a != nil {
		s.ActiveKeyID = a.ID
	}
	s.HandledRotateRequest = timeOrNil(ring.HandledRequest)
	for _, c := range p.conditions() {
		c.ObservedGeneration = p.key.Generation
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

func (p *pass) keyStatuses() []keywrightv1alpha1.KeyStatus {
	var out []keywrightv1alpha1.KeyStatus
	for i := range p.keyring.ring.Keys {
		k := &p.keyring.ring.Keys[i]
		if !k.Published() {
			continue
		}
		s := keywrightv1alpha1.KeyStatus{
			KeyID: k.ID, Algorithm: keywrightv1alpha1.Algorithm(k.Algorithm), State: string(k.State),
			PreparedAt: timeOrNil(k.PreparedAt), PublishedAt: timeOrNil(k.PublishedAt),
			ActivatedAt: timeOrNil(k.ActivatedAt), RetiredAt: timeOrNil(k.RetiredAt),
		}
		if k.State == rotation.Retired {
			s.RemovalTime = timeOrNil(p.policy.RemovalTime(k))
		}
		if k.State == rotation.Active && !k.PublishedAt.IsZero() {
			if known := k.PublishedAt.Add(p.policy.PropagationDelay); known.After(k.ActivatedAt) {
				s.KnownEverywhereAt = timeOrNil(known)
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
	s.Behind = slices.Clone(t.behind[:min(len(t.behind), maxBehind)])
	return s
}

func (p *pass) nextRotation() time.Time {
	r := p.decision.Rotation
	if at := r.At(); !at.IsZero() {
		return at
	}
	return r.Due
}

// timeOrNil drops the fraction of a second, which the API cannot hold.
func timeOrNil(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: t.Truncate(time.Second).Local()}
}

func condition(kind string, ok bool, reason, message string) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
	if ok {
		c.Status = metav1.ConditionTrue
	}
	return c
}

func (p *pass) conditions() []metav1.Condition {
	return []metav1.Condition{p.ready(), p.distributed(), p.onTime()}
}

func (p *pass) ready() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionReady
	active := p.keyring.ring.Active()
	switch {
	case p.trouble != nil:
		return condition(kind, false, p.trouble.reason, p.trouble.message)
	case p.policy.Draining:
		return condition(kind, false, keywrightv1alpha1.ReasonDraining,
			"deleted: nothing is signed any more, and the keys leave when the last token has expired")
	case active == nil || active.SigningFrom.IsZero():
		return condition(kind, false, keywrightv1alpha1.ReasonStarting, "the first key is on its way to its Secret")
	default:
		return condition(kind, true, keywrightv1alpha1.ReasonSigning, "key "+active.ID+" signs")
	}
}

func (p *pass) distributed() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionDistributed
	t := &p.targets
	switch {
	case t.invalidSelector != nil:
		return condition(kind, false, "InvalidSelector", "distribution.namespaceSelector: "+t.invalidSelector.Error())
	case p.trouble != nil:
		return condition(kind, false, p.trouble.reason, "nothing is distributed: see the condition Ready")
	case len(t.behind) > 0:
		return condition(kind, false, keywrightv1alpha1.ReasonTargetsBehind, fmt.Sprintf(
			"%d namespaces do not hold the current keys: %s", len(t.behind), names(t.behind)))
	case t.selected == 0:
		return condition(kind, true, keywrightv1alpha1.ReasonNoTargets, "distribution.namespaceSelector selects no namespace")
	default:
		return condition(kind, true, keywrightv1alpha1.ReasonInSync, fmt.Sprintf("all %d namespaces hold the current keys", t.selected))
	}
}

func names(all []string) string {
	if len(all) <= maxBehind {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:maxBehind], ", "), len(all)-maxBehind)
}

// overdueAt is from when on a rotation that is due and held up is reported. Publishing the Standby again, which a restart
// of the controller asks for, is no reason yet.
func (p *pass) overdueAt() time.Time {
	if p.decision.Rotation.Due.IsZero() {
		return time.Time{}
	}
	return p.decision.Rotation.Due.Add(p.policy.PropagationDelay + 2*p.policy.ClockSkew)
}

func (p *pass) onTime() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionRotationOnTime
	r := p.decision.Rotation
	overdue := p.overdueAt()
	switch {
	case p.trouble != nil:
		return condition(kind, false, p.trouble.reason, "nothing is rotated: see the condition Ready")
	case p.policy.Manual && r.Due.IsZero():
		return condition(kind, true, keywrightv1alpha1.ReasonManualRotation, "rotates on request only")
	case overdue.IsZero() || p.now.Before(overdue):
		return condition(kind, true, keywrightv1alpha1.ReasonOnTime, "no rotation is overdue")
	case r.Blocked == rotation.NotPublished:
		return condition(kind, false, keywrightv1alpha1.ReasonNotPublished, fmt.Sprintf(
			"a rotation is due since %s and waits for %s to hold the Standby key", stamp(r.Due), names(p.targets.behind)))
	case r.Blocked != rotation.NotBlocked:
		return condition(kind, false, string(r.Blocked), fmt.Sprintf("a rotation is due since %s", stamp(r.Due)))
	default:
		return condition(kind, false, keywrightv1alpha1.ReasonPropagationDelay, fmt.Sprintf(
			"a rotation is due since %s and waits until %s, when the Standby key has been everywhere for long enough",
			stamp(r.Due), stamp(r.Ready)))
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

package signingkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// reportRevocations writes the receipts of the Revocations, and deletes those whose ttlAfterExpiry has passed.
func (r *Reconciler) reportRevocations(ctx context.Context, p *pass) error {
	var failed error
	for i := range p.revocations {
		was := &p.revocations[i]
		if expired, at := p.pastTTL(was); expired {
			failed = errors.Join(failed, r.deleteRevocation(ctx, was))
			continue
		} else if !at.IsZero() && (p.reportAgain.IsZero() || at.Before(p.reportAgain)) {
			p.reportAgain = at
		}
		next := was.DeepCopy()
		p.updateReceipt(next)
		if equality.Semantic.DeepEqual(was.Status, next.Status) {
			continue
		}
		if err := r.Client.Status().Update(ctx, next); err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			failed = errors.Join(failed, fmt.Errorf("write the status of Revocation %s: %w", was.Name, err))
		}
	}
	return failed
}

func (r *Reconciler) deleteRevocation(ctx context.Context, v *keywrightv1alpha1.Revocation) error {
	err := r.Client.Delete(ctx, v, client.Preconditions{UID: &v.UID, ResourceVersion: &v.ResourceVersion})
	if err == nil || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("delete the expired Revocation %s: %w", v.Name, err)
}

// pastTTL reports whether the ttlAfterExpiry of a Revocation has passed, and when it passes.
func (p *pass) pastTTL(v *keywrightv1alpha1.Revocation) (bool, time.Time) {
	t := p.tokenOf(v)
	if t == nil || !t.Expired || v.Spec.TTLAfterExpiry == nil || v.DeletionTimestamp != nil {
		return false, time.Time{}
	}
	at := t.Until.Add(v.Spec.TTLAfterExpiry.Duration)
	return !p.now.Before(at), at
}

// tokenOf returns the record of a Revocation, nil if there is none.
func (p *pass) tokenOf(v *keywrightv1alpha1.Revocation) *rotation.TokenRevocation {
	tokens := p.keyring.Ring.Tokens
	i := slices.IndexFunc(tokens, func(t rotation.TokenRevocation) bool { return t.UID == string(v.UID) })
	if i < 0 {
		return nil
	}
	return &tokens[i]
}

// updateReceipt updates the status of a Revocation.
func (p *pass) updateReceipt(v *keywrightv1alpha1.Revocation) {
	s := &v.Status
	s.ObservedGeneration = v.Generation
	var ready metav1.Condition
	switch {
	case p.key == nil:
		ready = p.notReady(keywrightv1alpha1.ReasonNoSigningKey, fmt.Sprintf("SigningKey %s does not exist: nothing is revoked until it is created", p.name))
	case v.Spec.KeyID != "":
		ready = p.keyReceipt(v)
	default:
		ready = p.tokenReceipt(v)
	}
	stalled := ready.Status == metav1.ConditionFalse && ready.Reason != keywrightv1alpha1.ReasonRemoving
	meta.RemoveStatusCondition(&s.Conditions, keywrightv1alpha1.ConditionStalled)
	conditions := []metav1.Condition{ready}
	if stalled {
		conditions = append(conditions, report.Condition(keywrightv1alpha1.ConditionStalled, true, ready.Reason, ready.Message))
	}
	was := v.DeepCopy().Status.Conditions
	for _, c := range conditions {
		c.ObservedGeneration, c.LastTransitionTime = v.Generation, metav1.NewTime(p.now.Truncate(time.Second))
		meta.SetStatusCondition(&was, c)
	}
	s.Conditions = was
}

func (p *pass) notReady(reason, message string) metav1.Condition {
	return report.Condition(keywrightv1alpha1.ConditionReady, false, reason, message)
}

// keyReceipt updates the receipt of a Revocation of a key, and returns its condition Ready.
func (p *pass) keyReceipt(v *keywrightv1alpha1.Revocation) metav1.Condition {
	all := slices.Concat(p.keyring.Ring.Revoked, p.pending)
	i := slices.IndexFunc(all, func(r rotation.Revocation) bool { return r.ID == v.Spec.KeyID })
	if i < 0 {
		return p.waiting()
	}
	r := p.receipt(&all[i])
	s := &v.Status
	s.RevokedAt, s.RemovedAt, s.NudgedAt, s.ExpectedEverywhereBy = &r.RevokedAt, r.RemovedAt, r.NudgedAt, r.ExpectedEverywhereBy
	switch {
	case r.Problem != "":
		return p.notReady(p.trouble.reason, r.Problem)
	case r.RemovedAt == nil:
		return p.removing()
	case !r.Known:
		return report.Condition(keywrightv1alpha1.ConditionReady, true, keywrightv1alpha1.ReasonUnknownKey, fmt.Sprintf(
			"SigningKey %s has no such key: the ID is recorded, but no token is rejected. `kubectl get signingkey %[1]s -o yaml` "+
				"lists its keys", p.name))
	default:
		return p.removed("the key was removed from the files of all namespaces")
	}
}

// tokenReceipt updates the receipt of a Revocation of anything else, and returns its condition Ready.
func (p *pass) tokenReceipt(v *keywrightv1alpha1.Revocation) metav1.Condition {
	s, t := &v.Status, p.tokenOf(v)
	full := p.decision.TokensFull[string(v.UID)]
	switch {
	case desired.InFuture(v, p.policy):
		return p.notReady(keywrightv1alpha1.ReasonInFuture, "spec.issuedBefore is after the creation of this object: create another Revocation with the current time")
	case full == rotation.ListFull:
		return p.notReady(keywrightv1alpha1.ReasonFull, fmt.Sprintf(
			"the revocation list of SigningKey %s is full (%d entries): revoke the subject instead of its tokens, or revoke the key",
			p.name, rotation.MaxTokens))
	case full == rotation.RecordsFull:
		return p.notReady(keywrightv1alpha1.ReasonFull, fmt.Sprintf(
			"it is not in effect: SigningKey %s has the maximum of %d Revocations. Delete expired ones, or set their ttlAfterExpiry",
			p.name, rotation.MaxTokenRecords))
	case t == nil:
		return p.waiting()
	}
	s.RevokedAt, s.ExpiresAt = report.TimeOrNil(t.At), report.TimeOrNil(t.Until)
	if !t.Expired || s.RemovedAt == nil {
		s.RemovedAt, s.NudgedAt = report.TimeOrNil(t.RemovedAt), report.TimeOrNil(t.Nudged.At)
		s.ExpectedEverywhereBy = report.TimeOrNil(t.EverywhereBy(p.policy))
	}
	switch {
	case t.LeftPods:
		return report.Condition(keywrightv1alpha1.ConditionReady, true, keywrightv1alpha1.ReasonExpired, "all tokens that the Revocation names have expired")
	case t.RemovedAt.IsZero():
		return p.removing()
	default:
		return p.removed("the revocation lists of all namespaces contain the entry")
	}
}

// waiting returns the condition of a Revocation that is not in the keyring yet.
func (p *pass) waiting() metav1.Condition {
	if p.trouble != nil {
		return p.notReady(p.trouble.reason, "the revocation is in all files that could be written, but not in the keyring yet: "+p.trouble.message)
	}
	return p.notReady(keywrightv1alpha1.ReasonRemoving, "it is not in effect yet: the controller adds it with the next batch of changes to the revocation list")
}

func (p *pass) removing() metav1.Condition {
	return p.notReady(keywrightv1alpha1.ReasonRemoving, fmt.Sprintf("the ConfigMaps of %d of %d namespaces are up to date", p.targets.inSync, p.targets.selected))
}

func (p *pass) removed(message string) metav1.Condition {
	return report.Condition(keywrightv1alpha1.ConditionReady, true, keywrightv1alpha1.ReasonRemoved, message)
}

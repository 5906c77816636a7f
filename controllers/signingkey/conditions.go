package signingkey

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

func (p *pass) conditions() []metav1.Condition {
	all := []metav1.Condition{p.ready(), p.distributed(), p.onTime()}
	if c := p.targets.gateway.Condition(); c != nil {
		all = append(all, *c)
	}
	if c := p.caDistributed(); c != nil {
		all = append(all, *c)
	}
	if c := p.istioDistributed(); c != nil {
		all = append(all, *c)
	}
	if p.trouble != nil {
		all = append(all, report.Condition(keywrightv1alpha1.ConditionStalled, true, p.trouble.reason, p.trouble.message))
	}
	return all
}

func (p *pass) ready() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionReady
	active := p.keyring.Ring.Active()
	switch {
	case p.trouble != nil:
		return report.Condition(kind, false, p.trouble.reason, p.trouble.message)
	case p.policy.Deleting || p.policy.Draining && len(p.keyring.Ring.PublishedIDs()) == 0:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonDeleting, p.deleting())
	case p.policy.Draining:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonDraining,
			"deleted: nothing is signed any more, and the keys leave when the last token has expired")
	case active == nil && p.keyring.Ring.Stopped != "":
		return report.Condition(kind, false, keywrightv1alpha1.ReasonStarting, "nothing signs since this SigningKey was drained: the next key signs when verifiers know it")
	case active == nil && p.keyring.Ring.EverActive:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonKeyRevoked, "the keys were revoked: the next one is on its way to its Secret")
	case active == nil || active.SigningFrom.IsZero():
		return report.Condition(kind, false, keywrightv1alpha1.ReasonStarting, "the next key is on its way to its Secret")
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonSigning, "key "+active.ID+" signs")
	}
}

// deleting says what the end of a deletion waits for.
func (p *pass) deleting() string {
	ring := &p.keyring.Ring
	switch {
	case len(p.targets.holders) > 0 && ring.EndedAt.IsZero():
		return fmt.Sprintf("deleted: %d namespaces still hold the keys: %s", len(p.targets.holders), report.Names(p.targets.holders))
	case ring.EndedAt.IsZero():
		return "deleted: the keys are being taken out of every file and of the Secret of the issuers"
	default:
		return fmt.Sprintf("deleted: no file holds the keys any more. The Secrets follow at %s, when every pod has read that",
			report.Stamp(p.policy.EndOf(ring.EndedAt)))
	}
}

func (p *pass) distributed() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionDistributed
	t := &p.targets
	switch {
	case t.invalidSelector != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonInvalidSelector, "distribution.namespaceSelector: "+t.invalidSelector.Error())
	case p.frozen():
		return report.Condition(kind, false, p.trouble.reason, "only revocations are distributed: see the condition Ready")
	case len(t.behind) > 0:
		text := fmt.Sprintf("%d namespaces do not hold the current keys: %s", len(t.behind), report.Names(t.behind))
		if len(t.leftBehind) > 0 {
			text += fmt.Sprintf(". Rotations no longer wait for %s, whose pods reject the tokens of newer keys", report.Names(t.leftBehind))
		}
		if len(t.proxies.behind) > 0 {
			text += ". See the condition IstioDistributed"
		}
		return report.Condition(kind, false, keywrightv1alpha1.ReasonTargetsBehind, text)
	case t.matched == 0:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonNoTargets, "distribution.namespaceSelector selects no namespace")
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonInSync, fmt.Sprintf("all %d namespaces hold the current keys", t.selected))
	}
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
	case p.frozen():
		return report.Condition(kind, false, p.trouble.reason, "nothing is rotated: see the condition Ready")
	case p.policy.Manual && r.Due.IsZero():
		return report.Condition(kind, true, keywrightv1alpha1.ReasonManualRotation, "rotates on request only")
	case overdue.IsZero() || p.now.Before(overdue):
		return report.Condition(kind, true, keywrightv1alpha1.ReasonOnTime, "no rotation is overdue")
	case r.Blocked == rotation.NotPublished:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotPublished, fmt.Sprintf(
			"a rotation is due since %s and waits for %s to hold the Standby key%s", report.Stamp(r.Due), report.Names(p.targets.lacking), p.noLongerThan()))
	case r.Blocked != rotation.NotBlocked:
		return report.Condition(kind, false, string(r.Blocked), fmt.Sprintf("a rotation is due since %s", report.Stamp(r.Due)))
	default:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonPropagationDelay, fmt.Sprintf(
			"a rotation is due since %s and waits until %s, when the Standby key has been everywhere for long enough%s%s",
			report.Stamp(r.Due), report.Stamp(r.Ready), p.fellBack(), p.noLongerThan()))
	}
}

// noLongerThan says when a rotation happens whoever refuses.
func (p *pass) noLongerThan() string {
	if at := p.decision.Rotation.Deadline; !at.IsZero() {
		return fmt.Sprintf(". It waits until %s at the latest", report.Stamp(at))
	}
	return ""
}

// fellBack names the namespaces whose files lost the Standby and were put right, which begins the wait anew.
func (p *pass) fellBack() string {
	if len(p.fell) == 0 {
		return ""
	}
	return fmt.Sprintf(". It began anew since the file was put right in %s", report.Names(p.fell))
}

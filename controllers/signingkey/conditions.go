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
			"the SigningKey was deleted with Drain: no key signs any more. The public keys stay in the files until the last token has expired")
	case active == nil && p.keyring.Ring.Stopped != "":
		return report.Condition(kind, false, keywrightv1alpha1.ReasonStarting,
			"no token is signed, because the SigningKey was deleted with Drain and applied again: the next key signs once all files have held it for the propagation delay")
	case active == nil && p.keyring.Ring.EverActive:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonKeyRevoked,
			"no token is signed until the next key is ready: the Active key was revoked")
	case active == nil || active.SigningFrom.IsZero():
		return report.Condition(kind, false, keywrightv1alpha1.ReasonStarting,
			"the next key is being published and written to the signing-key Secret")
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonSigning, "key "+active.ID+" signs")
	}
}

// deleting returns what a deletion waits for.
func (p *pass) deleting() string {
	ring := &p.keyring.Ring
	switch {
	case len(p.targets.holders) > 0 && ring.EndedAt.IsZero():
		return fmt.Sprintf("the deletion waits for %d namespaces that still hold the keys: %s", len(p.targets.holders), report.Names(p.targets.holders))
	case ring.EndedAt.IsZero():
		return "the deletion is removing the keys from every file and from the signing-key Secret"
	default:
		return fmt.Sprintf("the deletion removed the keys from every file. The Secrets are deleted at %s, "+
			"when every pod should have the new files", report.Stamp(p.policy.EndOf(ring.EndedAt)))
	}
}

func (p *pass) distributed() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionDistributed
	t := &p.targets
	switch {
	case t.invalidSelector != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonInvalidSelector, "distribution.namespaceSelector: "+t.invalidSelector.Error())
	case p.frozen():
		return report.Condition(kind, false, p.trouble.reason, "the keys in the files do not change, except for revocations: see the condition Ready")
	case len(t.behind) > 0:
		text := fmt.Sprintf("%d namespaces do not hold the current keys: %s", len(t.behind), report.Names(t.behind))
		if len(t.leftBehind) > 0 {
			text += fmt.Sprintf(". Rotations no longer wait for %s: pods there reject tokens of newer keys", report.Names(t.leftBehind))
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

// overdueAt returns when a delayed rotation is reported. The wait after a restart of the controller is not reported: it
// has time for that.
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
		return report.Condition(kind, false, p.trouble.reason, "no key is rotated: see the condition Ready")
	case p.policy.Manual && r.Due.IsZero():
		return report.Condition(kind, true, keywrightv1alpha1.ReasonManualRotation, "keys rotate only on request")
	case overdue.IsZero() || p.now.Before(overdue):
		return report.Condition(kind, true, keywrightv1alpha1.ReasonOnTime, "no rotation is overdue")
	case r.Blocked == rotation.NotPublished:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotPublished, fmt.Sprintf(
			"a rotation has been due since %s and waits for namespaces that do not hold the Standby key: %s%s",
			report.Stamp(r.Due), report.Names(p.targets.lacking), p.latest()))
	case r.Blocked == rotation.NotSigning:
		return report.Condition(kind, false, string(r.Blocked), fmt.Sprintf(
			"a rotation has been due since %s and waits until the signing-key Secret holds the Active key", report.Stamp(r.Due)))
	case r.Blocked != rotation.NotBlocked:
		return report.Condition(kind, false, string(r.Blocked), fmt.Sprintf(
			"a rotation has been due since %s and waits: the maximum number of keys is published. It continues when the oldest one is removed", report.Stamp(r.Due)))
	default:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonPropagationDelay, fmt.Sprintf(
			"a rotation has been due since %s and waits until %s, when the Standby key will have been in every file for the "+
				"propagation delay%s%s", report.Stamp(r.Due), report.Stamp(r.Ready), p.fellBack(), p.latest()))
	}
}

// latest returns, as the end of a sentence, when the rotation takes place even if some targets lack the Standby.
func (p *pass) latest() string {
	if at := p.decision.Rotation.Deadline; !at.IsZero() {
		return fmt.Sprintf(". It takes place at %s at the latest", report.Stamp(at))
	}
	return ""
}

// fellBack returns, as the end of a sentence, the namespaces whose files lost the Standby and were restored, after
// which the wait started again.
func (p *pass) fellBack() string {
	if len(p.fell) == 0 {
		return ""
	}
	return fmt.Sprintf(". The wait started again because the file was restored in %s", report.Names(p.fell))
}

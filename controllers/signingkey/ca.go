package signingkey

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/issuerca"
	"github.com/keywright/keywright/controllers/report"
	"github.com/keywright/keywright/controllers/rotation"
)

// caSource is the content of the ConfigMap that spec.distribution.caConfigMap names.
type caSource struct {
	holds rotation.CASource
	// from names the ConfigMap. It is empty if the spec names none.
	from string
	// reason and problem describe why the content is not usable. Both are empty if it is.
	reason, problem string
}

// defaultCAEntry is the default entry, for clients that do not set it.
const defaultCAEntry = "ca.crt"

// observeCA reads the CA certificates of the issuer. It reads only ConfigMaps with the label, which a policy guards.
func (r *Reconciler) observeCA(ctx context.Context, entry *keywrightv1alpha1.ConfigMapEntry) caSource {
	if entry == nil {
		return caSource{holds: rotation.CASource{Known: true}}
	}
	s := caSource{from: fmt.Sprintf("ConfigMap %s/%s", r.KeyNamespace, entry.Name)}
	if r.CAs == nil {
		return s.unusable(keywrightv1alpha1.ReasonCANotFound, "the controller does not read CA ConfigMaps")
	}
	var cm corev1.ConfigMap
	err := r.CAs.Get(ctx, client.ObjectKey{Namespace: r.KeyNamespace, Name: entry.Name}, &cm)
	switch {
	case apierrors.IsNotFound(err) || err == nil && cm.Labels[contract.RoleLabel] != contract.RoleIssuerCA:
		return s.unusable(keywrightv1alpha1.ReasonCANotFound, fmt.Sprintf(
			"it does not exist, or does not have the label %s=%s: create it, or set the label", contract.RoleLabel, contract.RoleIssuerCA))
	case err != nil:
		return s.unusable(keywrightv1alpha1.ReasonCANotFound, "it cannot be read: "+shorten(err.Error()))
	}
	key := entry.Key
	if key == "" {
		key = defaultCAEntry
	}
	text, has := cm.Data[key]
	if !has {
		return s.unusable(keywrightv1alpha1.ReasonCANotFound, fmt.Sprintf("it has no entry %s: add it, or change distribution.caConfigMap.key", key))
	}
	s.from += ", entry " + key
	certificates, err := issuerca.Parse(text, rotation.MaxCASource)
	if err != nil {
		return s.unusable(keywrightv1alpha1.ReasonCAInvalid, err.Error())
	}
	s.holds = rotation.CASource{Known: true, Certificates: certificates}
	return s
}

func (s caSource) unusable(reason, problem string) caSource {
	s.reason, s.problem = reason, problem
	return s
}

// caDistributed returns the condition CADistributed, nil if no CA is distributed.
func (p *pass) caDistributed() *metav1.Condition {
	if p.ca.from == "" || p.policy.Ending() && len(p.keyring.Ring.PublishedIDs()) == 0 {
		return nil
	}
	reason, message := p.caProblem()
	c := report.Condition(keywrightv1alpha1.ConditionCADistributed, reason == "", reason, message)
	if reason == "" {
		c.Reason, c.Message = keywrightv1alpha1.ReasonInSync, p.caInSync()
	}
	return &c
}

// caProblem returns why some namespaces lack the CA of the source, and what to do. Both are empty if all have it.
func (p *pass) caProblem() (reason, message string) {
	switch without := p.targets.withoutCA; {
	case p.trouble != nil && (p.frozen() || p.unrecorded):
		return p.trouble.reason, "the CA is not updated: see the condition Ready"
	case p.ca.problem != "":
		return p.ca.reason, p.ca.from + ": " + p.ca.problem + ". The CA that was distributed before stays in use"
	case p.decision.CAFull:
		return keywrightv1alpha1.ReasonCAWaiting, fmt.Sprintf("the file has no room for the current certificates of %s, because certificates that are no longer there stay for a while. "+
			"At %s, the first of these is removed, and current ones are added. Until then, clients do not trust them", p.ca.from, report.Stamp(p.firstCARemoval()))
	case len(without) > 0:
		return keywrightv1alpha1.ReasonTargetsBehind, fmt.Sprintf("%d namespaces do not hold the current CA: %s", len(without), report.Names(without))
	}
	return "", ""
}

// caInSync returns the message of the condition if all files have the CA.
func (p *pass) caInSync() string {
	var left int
	for i := range p.keyring.Ring.CA {
		if !p.keyring.Ring.CA[i].LeftAt.IsZero() {
			left++
		}
	}
	has := "1 certificate"
	if n := len(p.ca.holds.Certificates); n != 1 {
		has = fmt.Sprintf("%d certificates", n)
	}
	text := fmt.Sprintf("%s%s has %s from %s; the first expires at %s", p.name, contract.CASuffix, has, p.ca.from,
		report.Stamp(issuerca.Expiry(p.ca.holds.Certificates)))
	if left > 0 {
		text += fmt.Sprintf(". It still has %d that are no longer in the ConfigMap; the first of them is removed at %s", left, report.Stamp(p.firstCARemoval()))
	}
	return text
}

// firstCARemoval returns when the next certificate that was removed from the source leaves the files, zero if there is
// none.
func (p *pass) firstCARemoval() time.Time {
	var first time.Time
	for i := range p.keyring.Ring.CA {
		if left := p.keyring.Ring.CA[i].LeftAt; !left.IsZero() && (first.IsZero() || left.Before(first)) {
			first = left
		}
	}
	if first.IsZero() {
		return first
	}
	return p.policy.CARemovalTime(first)
}

package trustedissuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/report"
)

// progressEvery is how often the status is updated while a distribution proceeds.
const progressEvery = 10 * time.Second

// report updates the metrics, and the status if it changed.
func (r *Reconciler) report(ctx context.Context, p *pass) error {
	r.Metrics.observe(p)
	next := p.ti.DeepCopy()
	next.Status = p.status(p.ti.Status.Conditions)
	if equality.Semantic.DeepEqual(next.Status, p.ti.Status) {
		return nil
	}
	if at, ok := r.reportedAt.Load(p.ti.Name); ok && p.onlyProgress(&next.Status) {
		last, _ := at.(time.Time)
		if again := last.Add(progressEvery); again.After(p.now) {
			p.wakeAt(again)
			return nil
		}
	}
	if err := r.Client.Status().Update(ctx, next); err != nil {
		return err
	}
	r.reportedAt.Store(p.ti.Name, p.now)
	r.announce(p, &next.Status)
	return nil
}

// onlyProgress reports whether a status differs from the current one only in the progress of a distribution that is not
// complete.
func (p *pass) onlyProgress(next *keywrightv1alpha1.TrustedIssuerStatus) bool {
	was := p.ti.Status.DeepCopy()
	before, after := meta.FindStatusCondition(was.Conditions, keywrightv1alpha1.ConditionDistributed), meta.FindStatusCondition(next.Conditions, keywrightv1alpha1.ConditionDistributed)
	if before == nil || before.Reason != keywrightv1alpha1.ReasonTargetsBehind || after.Reason != before.Reason {
		return false
	}
	was.Targets, before.Message, before.ObservedGeneration = next.Targets, after.Message, after.ObservedGeneration
	return equality.Semantic.DeepEqual(was, next)
}

// announce writes an event when a TrustedIssuer becomes Stalled or Stale.
func (r *Reconciler) announce(p *pass, next *keywrightv1alpha1.TrustedIssuerStatus) {
	for _, kind := range []string{keywrightv1alpha1.ConditionStalled, keywrightv1alpha1.ConditionStale} {
		before, after := meta.FindStatusCondition(p.ti.Status.Conditions, kind), meta.FindStatusCondition(next.Conditions, kind)
		if after != nil && (before == nil || before.Reason != after.Reason) {
			r.Recorder.Eventf(p.ti, nil, corev1.EventTypeWarning, after.Reason, "Reconcile", "%s", after.Message)
		}
	}
}

// status returns the status after a pass. The given conditions only provide transition times.
func (p *pass) status(was []metav1.Condition) keywrightv1alpha1.TrustedIssuerStatus {
	t := &p.targets
	s := keywrightv1alpha1.TrustedIssuerStatus{
		ObservedGeneration: p.ti.Generation, Conditions: slices.Clone(was),
		Targets: keywrightv1alpha1.TargetsStatus{
			Selected: int32(t.selected), InSync: int32(t.inSync), Kept: int32(t.kept), //nolint:gosec // no cluster has 2^31 namespaces
			Summary: fmt.Sprintf("%d/%d", t.inSync, t.selected), Behind: slices.Clone(t.behind[:min(len(t.behind), report.MostNames)]),
		},
	}
	if !p.taken {
		p.addKeys(&s)
	}
	all := p.conditions()
	s.Conditions = slices.DeleteFunc(s.Conditions, func(was metav1.Condition) bool {
		return !slices.ContainsFunc(all, func(c metav1.Condition) bool { return c.Type == was.Type })
	})
	for _, c := range all {
		c.ObservedGeneration, c.LastTransitionTime = p.ti.Generation, metav1.NewTime(p.now.Truncate(time.Second))
		meta.SetStatusCondition(&s.Conditions, c)
	}
	return s
}

func (p *pass) addKeys(s *keywrightv1alpha1.TrustedIssuerStatus) {
	s.KeyCount = int32(len(p.trusted.Keys)) //nolint:gosec // at most jwks.MaxKeys
	for _, k := range p.trusted.Keys {
		status := keywrightv1alpha1.TrustedKeyStatus{KeyID: k.ID, Algorithm: keywrightv1alpha1.Algorithm(k.Algorithm)}
		if at, ok := p.entry.FirstSeen[k.ID]; ok && !p.inline() {
			status.FirstSeenTime = report.TimeOrNil(at)
		}
		s.Keys = append(s.Keys, status)
	}
	slices.SortFunc(s.Keys, func(a, b keywrightv1alpha1.TrustedKeyStatus) int { return strings.Compare(a.KeyID, b.KeyID) })
	for _, l := range p.trusted.LeftOut[:min(len(p.trusted.LeftOut), fetched.MostLeftOut)] {
		s.LeftOut = append(s.LeftOut, keywrightv1alpha1.LeftOutKeyStatus{KeyID: bounded(l.KeyID, 256), Reason: bounded(l.String(), 512)})
	}
	if p.handedOver() && !p.inline() {
		s.LastFetchTime = report.TimeOrNil(p.entry.FetchedAt)
	}
}

func (p *pass) inline() bool { return p.ti.Spec.Keys.Inline != "" }

// handedOver reports whether the entry of the fetcher is for this object, and not an earlier one of the same name.
func (p *pass) handedOver() bool { return p.entry.UID == string(p.ti.UID) }

// bounded limits a text to the length that the API accepts.
func bounded(text string, most int) string {
	return fmt.Sprintf("%.*s", most, strings.ToValidUTF8(text, "?"))
}

func (p *pass) conditions() []metav1.Condition {
	all := []metav1.Condition{p.ready(), p.fetched(), p.distributed()}
	if c := p.targets.gateway.Condition(); c != nil {
		all = append(all, *c)
	}
	if p.taken {
		all = append(all, report.Condition(keywrightv1alpha1.ConditionStalled, true, keywrightv1alpha1.ReasonNameTaken, p.nameTaken()))
	}
	if since, stale := p.stale(); stale {
		all = append(all, report.Condition(keywrightv1alpha1.ConditionStale, true, keywrightv1alpha1.ReasonTooOld,
			fmt.Sprintf("there was no valid response since %s, longer than maxStaleness. The keys of the last response stay in use: the condition Fetched has the error", report.Stamp(since))))
	}
	return all
}

func (p *pass) nameTaken() string {
	return fmt.Sprintf("the name %s belongs to a SigningKey or to its retained Secrets: create this TrustedIssuer with another name", p.ti.Name)
}

// ready returns the condition Ready, which is True while keys of the issuer are distributed, even if the last fetch
// failed.
func (p *pass) ready() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionReady
	switch {
	case p.taken:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNameTaken, p.nameTaken())
	case errors.Is(p.trusted.Err, desired.ErrNotFetched):
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotFetched, p.notFetched())
	case p.trusted.Err != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNoUsableKey, "the key set "+p.trusted.Err.Error()+": the keys that were distributed before stay in use")
	case p.trusted.InvalidSelector != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonInvalidSelector, "distribution.namespaceSelector: "+p.trusted.InvalidSelector.Error())
	case len(p.targets.behind) > 0:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonTargetsBehind, p.behind())
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonTrusted, fmt.Sprintf("%d keys are distributed", len(p.trusted.Keys)))
	}
}

func (p *pass) notFetched() string {
	if p.handedOver() && p.entry.Failure != "" {
		return "the keys have not been fetched yet: " + p.entry.Failure
	}
	return "the fetcher has not fetched the keys yet: check that it runs (trustedIssuers.enabled in the values of the chart)"
}

// fetched returns the condition Fetched, about the last fetch.
func (p *pass) fetched() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionFetched
	switch {
	case p.inline():
		return report.Condition(kind, true, keywrightv1alpha1.ReasonInline, "nothing is fetched: spec.keys contains the keys")
	case p.handedOver() && p.entry.Failure != "":
		return report.Condition(kind, false, keywrightv1alpha1.ReasonFetchFailed,
			fmt.Sprintf("fetches have failed since %s: %s", report.Stamp(p.entry.FailedSince), p.entry.Failure))
	case !p.handedOver() || len(p.entry.KeySet) == 0:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotFetched, p.notFetched())
	case !p.ofThisSource():
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotFetched, "spec.keys changed, and the new source has not been fetched yet: the keys of the previous source stay in use")
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonFetched, "the last response of the issuer is valid")
	}
}

func (p *pass) ofThisSource() bool {
	source, err := desired.SourceOf(&p.ti.Spec)
	return err == nil && source == p.entry.Source
}

// stale returns when a valid response was last recorded, and whether that is longer than maxStaleness ago.
func (p *pass) stale() (since time.Time, stale bool) {
	if p.inline() || p.taken || !p.handedOver() || p.entry.FetchedAt.IsZero() {
		return time.Time{}, false
	}
	since = p.entry.FetchedAt
	end := since.Add(p.ti.Spec.MaxStaleness.Duration)
	p.wakeAt(end)
	return since, !p.now.Before(end)
}

func (p *pass) behind() string {
	return fmt.Sprintf("%d namespaces do not hold the current keys: %s", len(p.targets.behind), report.Names(p.targets.behind))
}

func (p *pass) distributed() metav1.Condition {
	const kind = keywrightv1alpha1.ConditionDistributed
	switch {
	case p.taken:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNameTaken, p.nameTaken())
	case p.trusted.InvalidSelector != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonInvalidSelector, "distribution.namespaceSelector: "+p.trusted.InvalidSelector.Error())
	case p.trusted.Err != nil:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonNotFetched, "there are no keys to distribute: see the condition Ready")
	case len(p.targets.behind) > 0:
		return report.Condition(kind, false, keywrightv1alpha1.ReasonTargetsBehind, p.behind())
	default:
		return report.Condition(kind, true, keywrightv1alpha1.ReasonInSync, fmt.Sprintf("all %d namespaces hold the current keys", p.targets.selected))
	}
}

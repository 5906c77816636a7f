package simulation

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
)

func subjects() []string { return []string{"alice", "client:c"} }
func clients() []string  { return []string{"web", "c"} }

// ending is a Revocation of tokens.
type ending struct {
	ref ref
	// names reports whether it applies to a token, regardless of its time.
	names  func(*signed) bool
	before time.Time // zero for a token, regardless of its time
	// carriedOut is when its receipt first reported that every file has it, zero before.
	carriedOut time.Time
	// gone: its object was deleted. loose: another client then edited its record, which may be lost.
	gone, loose bool
}

// endTokens creates a Revocation of a token, a session, a subject, a client, or everything.
func (u *users) endTokens() {
	w, rnd := u.w, u.rnd
	before := metav1.NewTime(w.now.Add(-pick(rnd, 0, time.Minute, 10*time.Minute)).Truncate(time.Second))
	v := &keywrightv1alpha1.Revocation{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("ending-%d", len(w.facts.endings))}}
	v.Spec = keywrightv1alpha1.RevocationSpec{SigningKey: signingKey, Nudge: rnd.IntN(3) == 0}
	if rnd.IntN(2) == 0 {
		v.Spec.TTLAfterExpiry = &metav1.Duration{Duration: pick(rnd, 0, time.Hour)}
	}
	e := &ending{ref: refOf(v), before: before.Time}
	switch rnd.IntN(10) {
	case 8, 9:
		id := fmt.Sprintf("session-%d", rnd.IntN(len(w.sessions.logins)+1))
		if id == fmt.Sprintf("session-%d", len(w.sessions.logins)) { // real IDs are random, so a Revocation cannot name a later session
			id = "session-of-nobody"
		}
		v.Spec.SessionID, e.before, e.names = id, time.Time{}, func(t *signed) bool { return t.session == id }
	case 0, 1, 2:
		subject := subjects()[rnd.IntN(2)]
		v.Spec.Subject, v.Spec.IssuedBefore, e.names = subject, &before, func(t *signed) bool { return t.subject == subject }
	case 3, 4:
		of := clients()[rnd.IntN(2)]
		v.Spec.ClientID, v.Spec.IssuedBefore, e.names = of, &before, func(t *signed) bool { return t.client == of }
	case 5:
		v.Spec.Everything, v.Spec.IssuedBefore, e.names = true, &before, func(*signed) bool { return true }
	default:
		id := fmt.Sprint(rnd.IntN(w.pods.tokens + 1)) // token 0 was never issued
		v.Spec.TokenID, e.before, e.names = id, time.Time{}, func(t *signed) bool { return t.id == id }
	}
	w.facts.endings = append(w.facts.endings, e)
	_, err := w.store.create(v)
	w.log("users: end %+v: %s", v.Spec, short(err))
}

func (u *users) deleteRevocation() {
	if all := u.w.store.list(kindRevocation, ""); len(all) > 0 {
		_ = u.w.store.delete(refOf(all[u.rnd.IntN(len(all))]), nil)
	}
}

// revocationChanged checks the receipt of a Revocation.
func (f *facts) revocationChanged(c change) {
	i := slices.IndexFunc(f.endings, func(e *ending) bool { return e.ref == c.ref })
	if i < 0 {
		return
	}
	e := f.endings[i]
	v, _ := c.new.(*keywrightv1alpha1.Revocation)
	if v == nil {
		e.gone = true
		return
	}
	if v.Status.RemovedAt != nil && e.carriedOut.IsZero() {
		e.carriedOut = f.w.now
	}
}

// loosen records that a user edited a Secret: revocations that are recorded only there may be lost.
func (f *facts) loosen() {
	if f.w.writer != nil {
		return
	}
	for _, e := range f.endings {
		e.loose = e.loose || e.gone
	}
}

// named reports whether a Revocation applies to a token, or may apply because of the clockSkew.
func (f *facts) named(t *signed) bool {
	mostSkew := f.w.skew + time.Minute // the largest clockSkew that users set
	return slices.ContainsFunc(f.endings, func(e *ending) bool {
		return e.names(t) && (e.before.IsZero() || !t.issued.After(e.before.Add(mostSkew)))
	})
}

// mustRefuse checks invariant 10: a verifier that has read its file after the receipt reported the removal rejects all
// tokens of a Revocation.
func (f *facts) mustRefuse(p *pod, t *signed) {
	if p.issuer || p.content == "" || !p.owned || !t.until.After(f.w.now) {
		return
	}
	for _, e := range f.endings {
		if e.loose || e.carriedOut.IsZero() || !p.read.After(e.carriedOut) || !e.names(t) || !e.before.IsZero() && t.issued.After(e.before) {
			continue
		}
		if err := f.w.pods.verify(p, t); err == nil {
			f.w.violate("invariant 10: %s accepts token %s of %s, signed at %s, which %s names", p, t.id, t.subject, t.at.Sub(f.w.now), e.ref)
		}
	}
}

// checkEndings asserts that at rest every Revocation is completed or has expired, that the files have the entries of
// the keyring, and that no entry stays there permanently.
func (w *world) checkEndings() {
	if w.wrong != "" {
		return
	}
	r := &w.facts.ring
	list, issuers := string(desired.RevokedOf(r, issuerfiles.Revoked{}).Encode()), string(desired.RevokedForIssuers(r, issuerfiles.Revoked{}).Encode())
	for _, ns := range w.targets() {
		if got := w.listIn(ns.GetName()); got != list && ns.GetDeletionTimestamp() == nil {
			w.violate("at rest %s has the list %s, the keyring %s", ns.GetName(), got, list)
		}
	}
	if got := string(w.secret(secretRef).Data[contract.RevokedFile]); got != issuers {
		w.violate("at rest the Secret has the list %s, the keyring %s", got, issuers)
	}
	for i := range r.Tokens {
		const late = 10 * time.Minute
		if t := &r.Tokens[i]; !t.LeftPods && w.now.After(t.Until.Add(late)) || !t.Expired && w.now.After(t.IssuersUntil.Add(late)) {
			w.violate("at rest the keyring has %+v, which has expired", t)
		}
	}
	for _, o := range w.store.list(kindRevocation, "") {
		v := o.(*keywrightv1alpha1.Revocation)
		if w.now.Sub(v.CreationTimestamp.Time) > time.Minute && !meta.IsStatusConditionTrue(v.Status.Conditions, keywrightv1alpha1.ConditionReady) {
			w.violate("at rest %s is %+v", refOf(v), v.Status.Conditions)
		}
	}
}

package rotation

import (
	"slices"
	"time"
)

// Blocked is the reason why a due rotation waits.
type Blocked string

// The values of Blocked.
const (
	// NotBlocked means that the rotation waits only for its time.
	NotBlocked Blocked = ""
	// NotSigning means that the Active key has not been observed in the signing-key Secret yet.
	NotSigning Blocked = "NotSigning"
	// NotPublished means that some projection lacks the Standby.
	NotPublished Blocked = "NotPublished"
	// TooManyKeys means that the published set is full. Keys leave it as tokens expire.
	TooManyKeys Blocked = "TooManyKeys"
)

// Rotation is the state of the next rotation. Both times are zero if none is planned.
type Rotation struct {
	Reason Reason
	// Due is when the policy or a request requires it.
	Due time.Time
	// Ready is when the Standby has been published for the propagation delay and the clock skew. It is zero while
	// Blocked is not empty.
	Ready   time.Time
	Blocked Blocked
	// Deadline is when the rotation happens even if some targets have not held the Standby for long enough; these are
	// left behind. It is zero if the rotation waits for something else.
	Deadline time.Time
}

// At returns the expected time of the rotation, zero if it is not known.
func (r Rotation) At() time.Time {
	if r.Due.IsZero() || r.Ready.IsZero() {
		return time.Time{}
	}
	if r.Ready.After(r.Due) {
		return r.Ready
	}
	return r.Due
}

// activate makes the Standby the Active key if it is due and known to every verifier, or if there is no other key to
// sign with.
func (p *planner) activate() {
	s := p.ring.Standby()
	if s == nil || p.policy.Ending() {
		return
	}
	if p.ring.Active() == nil && p.ring.Stopped == "" {
		p.activateAlone(s)
		return
	}
	r := p.rotation()
	switch at := r.At(); {
	case !at.IsZero() && !p.at.Before(at):
		p.promote(s, Move{Reason: r.Reason})
	case !r.Deadline.IsZero() && !p.at.Before(r.Deadline):
		p.promote(s, Move{Reason: r.Reason, LeftBehind: true})
	}
}

// activateAlone handles a keyring without an Active key, unless signing was stopped on purpose. The first key of a
// name signs once it is published, because no token exists yet. After a revocation the next key signs at once.
func (p *planner) activateAlone(s *Key) {
	switch {
	case p.ring.EverActive:
		early := s.PublishedAt.IsZero() || p.at.Before(p.readyTime(s))
		p.promote(s, Move{Reason: KeyRevoked, Early: early})
	case !s.PublishedAt.IsZero() || p.served(s) && !p.at.Before(s.PreparedAt.Add(firstKeyWait)):
		p.promote(s, Move{Reason: FirstKey, Early: true})
	}
}

// firstKeyWait is how long the first key of a name waits for targets that reject it.
const firstKeyWait = time.Minute

// served reports whether the issuers serve the key at /jwks.
func (p *planner) served(k *Key) bool {
	return p.observed.Secret.Present && slices.Contains(p.observed.Secret.Published, k.ID)
}

// promote makes s the Active key. The previous one loses its private key. This completes a pending request.
func (p *planner) promote(s *Key, how Move) {
	if a := p.ring.Active(); a != nil {
		p.retire(a, Superseded)
	}
	s.State = Active
	s.ActivatedAt = p.now
	s.MaxLifetime = p.policy.MaxLifetime
	p.ring.EverActive, p.ring.Stopped = true, ""
	if p.policy.RotateRequested.After(p.ring.HandledRequest) && !p.requestedInFuture() {
		p.ring.HandledRequest = p.policy.RotateRequested
	}
	how.Kind, how.KeyID = Activate, s.ID
	p.out.Moves = append(p.out.Moves, how)
}

// rotation returns when the Standby replaces the Active key.
func (p *planner) rotation() Rotation {
	a, s := p.ring.Active(), p.ring.Standby()
	r := Rotation{}
	switch {
	case a != nil:
		r.Reason, r.Due = p.due(a)
	case s != nil && p.ring.Stopped != "":
		r.Reason, r.Due = Resumed, s.PreparedAt
	default:
		return r
	}
	switch {
	case r.Reason == Scheduled && r.Due.IsZero():
		r.Blocked = NotSigning
	case len(p.ring.PublishedIDs()) >= MaxKeys:
		r.Blocked = TooManyKeys
	case s == nil || s.PublishedAt.IsZero():
		r.Blocked = NotPublished
	default:
		r.Ready = p.readyTime(s)
	}
	if s != nil && (r.Blocked == NotBlocked || r.Blocked == NotPublished) {
		r.Deadline = p.deadline(s, r.Due)
	}
	return r
}

// deadline returns when a due rotation stops waiting for targets that reject or repeatedly lose the key. It counts
// from the first hand-over by this process, because targets get a key only from a running controller.
func (p *planner) deadline(s *Key, due time.Time) time.Time {
	from := p.observed.HandedOver[s.ID]
	if due.IsZero() || from.IsZero() || !p.served(s) {
		return time.Time{}
	}
	if due.After(from) {
		from = due
	}
	return from.Add(p.policy.waitForTargets())
}

// due returns why, and from when on, a rotation is required.
func (p *planner) due(a *Key) (Reason, time.Time) {
	switch {
	case a.KeySpec != p.policy.KeySpec:
		return PolicyChanged, a.ActivatedAt
	case p.policy.RotateRequested.After(p.ring.HandledRequest) && !p.requestedInFuture():
		return Requested, p.policy.RotateRequested
	case p.policy.Manual:
		return "", time.Time{}
	case a.SigningFrom.IsZero():
		return Scheduled, time.Time{}
	default:
		return Scheduled, a.SigningFrom.Add(p.policy.Interval)
	}
}

// requestedInFuture reports whether the time of the rotation request is later than any clock can be. Such a request
// waits for that time.
func (p *planner) requestedInFuture() bool {
	return p.policy.RotateRequested.After(p.now.Add(p.policy.ClockSkew))
}

// readyTime returns when every verifier knows the key.
func (p *planner) readyTime(k *Key) time.Time {
	since := k.PublishedAt
	if held := p.observed.HeldSince[k.ID]; held.After(since) {
		since = held
	}
	return since.Add(p.policy.PropagationDelay + p.policy.ClockSkew)
}

// schedule sets the next rotation and the time of the next plan.
func (p *planner) schedule() {
	p.out.Rotation = p.rotation()
	p.wakeAt(p.out.Rotation.At())
	p.wakeAt(p.out.Rotation.Deadline)
	if s := p.ring.Standby(); s != nil && !p.ring.EverActive {
		p.wakeAt(s.PreparedAt.Add(firstKeyWait))
	}
	p.scheduleEnd()
	p.wakeAt(p.policy.RotateRequested.Add(-p.policy.ClockSkew))
	for i := range p.ring.Keys {
		if k := &p.ring.Keys[i]; k.State == Retired && k.Published() && !k.SupersededAt.IsZero() {
			p.wakeAt(p.policy.RemovalTime(k))
		}
	}
}

// wakeAt moves the next plan forward to at, unless at was already past for this plan, which then waits for another
// change. A time between p.at and p.now causes a new plan at once.
func (p *planner) wakeAt(at time.Time) {
	if at.After(p.at) && (p.out.Wake.IsZero() || at.Before(p.out.Wake)) {
		p.out.Wake = at
	}
}

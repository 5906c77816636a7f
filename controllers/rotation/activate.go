package rotation

import (
	"slices"
	"time"
)

// Blocked says what a rotation that is due waits for.
type Blocked string

// What a rotation can wait for.
const (
	// NotBlocked is a rotation that only waits for its time.
	NotBlocked Blocked = ""
	// NotSigning means that the Active key was not yet seen in the signing-key Secret.
	NotSigning Blocked = "NotSigning"
	// NotPublished means that some projection lacks the Standby.
	NotPublished Blocked = "NotPublished"
	// TooManyKeys means that the published set is full; it empties as tokens expire.
	TooManyKeys Blocked = "TooManyKeys"
)

// Rotation is the next rotation as it stands. Both times are zero when none is in sight.
type Rotation struct {
	Reason Reason
	// Due is when the policy or a request wants it.
	Due time.Time
	// Ready is from when on the Standby may sign: published for the propagation delay and the clock skew. It is zero
	// while Blocked is not empty.
	Ready   time.Time
	Blocked Blocked
	// Deadline is when the rotation happens although some targets do not hold the Standby for long enough: they are left behind.
	// It is zero while the rotation waits for something else.
	Deadline time.Time
}

// At returns when the rotation will happen if nothing changes, zero if that cannot be said.
func (r Rotation) At() time.Time {
	if r.Due.IsZero() || r.Ready.IsZero() {
		return time.Time{}
	}
	if r.Ready.After(r.Due) {
		return r.Ready
	}
	return r.Due
}

// activate lets the Standby sign when it is due and every verifier is bound to know it, or when nothing else can sign.
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
		p.swap(s, Move{Reason: r.Reason})
	case !r.Deadline.IsZero() && !p.at.Before(r.Deadline):
		p.swap(s, Move{Reason: r.Reason, LeftBehind: true})
	}
}

// activateAlone is for a keyring without an Active key, unless the signing was stopped on purpose. The first key of a name signs as soon as it is published: no
// token exists that could suffer. After a revocation the next one signs at once, however young.
func (p *planner) activateAlone(s *Key) {
	switch {
	case p.ring.EverActive:
		early := s.PublishedAt.IsZero() || p.at.Before(p.readyTime(s))
		p.swap(s, Move{Reason: KeyRevoked, Early: early})
	case !s.PublishedAt.IsZero() || p.served(s) && !p.at.Before(s.PreparedAt.Add(firstKeyWait)):
		p.swap(s, Move{Reason: FirstKey, Early: true})
	}
}

// firstKeyWait is how long the first key of a name waits for targets that refuse it.
const firstKeyWait = time.Minute

// served reports whether the issuers serve the key at /jwks.
func (p *planner) served(k *Key) bool {
	return p.observed.Secret.Present && slices.Contains(p.observed.Secret.Published, k.ID)
}

// swap makes s the Active key. The old one keeps its public half only. A pending request is answered by it.
func (p *planner) swap(s *Key, how Move) {
	if a := p.ring.Active(); a != nil {
		p.retire(a, Superseded)
	}
	s.State = Active
	s.ActivatedAt = p.now
	s.MaxLifetime = p.policy.MaxLifetime
	p.ring.EverActive, p.ring.Stopped = true, ""
	if p.policy.RotateRequested.After(p.ring.HandledRequest) && !p.fromTheFuture() {
		p.ring.HandledRequest = p.policy.RotateRequested
	}
	how.Kind, how.KeyID = Activate, s.ID
	p.out.Moves = append(p.out.Moves, how)
}

// rotation says when the Standby takes over from the Active key.
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

// deadline is when a rotation that is due waits no longer for targets that refuse the key, or lose it again and again. It is
// counted from the first hand-over by this process, since only a running controller can give targets a key.
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

// due says why and since when, or from when on, a rotation is wanted.
func (p *planner) due(a *Key) (Reason, time.Time) {
	switch {
	case a.KeySpec != p.policy.KeySpec:
		return PolicyChanged, a.ActivatedAt
	case p.policy.RotateRequested.After(p.ring.HandledRequest) && !p.fromTheFuture():
		return Requested, p.policy.RotateRequested
	case p.policy.Manual:
		return "", time.Time{}
	case a.SigningFrom.IsZero():
		return Scheduled, time.Time{}
	default:
		return Scheduled, a.SigningFrom.Add(p.policy.Interval)
	}
}

// fromTheFuture reports whether the rotation request bears a time that no clock can have shown yet: it waits for that time.
func (p *planner) fromTheFuture() bool {
	return p.policy.RotateRequested.After(p.now.Add(p.policy.ClockSkew))
}

// readyTime is from when on every verifier is bound to know the key.
func (p *planner) readyTime(k *Key) time.Time {
	since := k.PublishedAt
	if held := p.observed.HeldSince[k.ID]; held.After(since) {
		since = held
	}
	return since.Add(p.policy.PropagationDelay + p.policy.ClockSkew)
}

// schedule says what comes next, and when to look again.
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

// wakeAt brings the next look forward to at, unless that was past for this plan: what is past waits for something else to change.
// A time between p.at and p.now has passed since, and this plan went by p.at: the next look is due at once.
func (p *planner) wakeAt(at time.Time) {
	if at.After(p.at) && (p.out.Wake.IsZero() || at.Before(p.out.Wake)) {
		p.out.Wake = at
	}
}

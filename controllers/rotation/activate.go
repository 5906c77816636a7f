package rotation

import "time"

// Blocked says what a rotation that is due waits for.
type Blocked string

// What a rotation can wait for.
const (
	// NotBlocked is a rotation that only waits for its time.
	NotBlocked Blocked = ""
	// NotSigning is that the Active key was not yet seen in the signing-key Secret.
	NotSigning Blocked = "NotSigning"
	// NotPublished is that some projection lacks the Standby.
	NotPublished Blocked = "NotPublished"
	// TooManyKeys is that the published set is full; it empties as tokens expire.
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
	if s == nil || p.policy.Draining {
		return
	}
	if p.ring.Active() == nil {
		p.activateAlone(s)
		return
	}
	r := p.rotation()
	if at := r.At(); at.IsZero() || p.at.Before(at) {
		return
	}
	p.swap(s, r.Reason, false)
}

// activateAlone is for a keyring without an Active key. The first key of a name signs as soon as it is published: no
// token exists that could suffer. After a revocation the next one signs at once, however young.
func (p *planner) activateAlone(s *Key) {
	switch {
	case p.ring.EverActive:
		early := s.PublishedAt.IsZero() || p.at.Before(p.readyTime(s))
		p.swap(s, KeyRevoked, early)
	case !s.PublishedAt.IsZero():
		p.swap(s, FirstKey, true)
	}
}

// swap makes s the Active key. The old one keeps its public half only. A pending request is answered by it.
func (p *planner) swap(s *Key, why Reason, early bool) {
	if a := p.ring.Active(); a != nil {
		p.retire(a, Superseded)
	}
	s.State = Active
	s.ActivatedAt = p.now
	s.MaxLifetime = p.policy.MaxLifetime
	p.ring.EverActive = true
	if p.policy.RotateRequested.After(p.ring.HandledRequest) && !p.fromTheFuture() {
		p.ring.HandledRequest = p.policy.RotateRequested
	}
	p.out.Moves = append(p.out.Moves, Move{Kind: Activate, KeyID: s.ID, Reason: why, Early: early})
}

// rotation says when the Standby takes over from the Active key.
func (p *planner) rotation() Rotation {
	a, s := p.ring.Active(), p.ring.Standby()
	if a == nil {
		return Rotation{}
	}
	r := Rotation{}
	r.Reason, r.Due = p.due(a)
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
	return r
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

// fromTheFuture tells whether the rotation request bears a time that no clock can have shown yet: it waits for that time.
func (p *planner) fromTheFuture() bool {
	return p.policy.RotateRequested.After(p.now.Add(p.policy.ClockSkew))
}

// readyTime is from when on every verifier is bound to know the key.
func (p *planner) readyTime(k *Key) time.Time {
	since := k.PublishedAt
	if given := p.observed.Given[k.ID]; given.After(since) {
		since = given
	}
	return since.Add(p.policy.PropagationDelay + p.policy.ClockSkew)
}

// schedule says what comes next, and when to look again.
func (p *planner) schedule() {
	p.out.Rotation = p.rotation()
	p.wakeAt(p.out.Rotation.At())
	p.wakeAt(p.policy.RotateRequested.Add(-p.policy.ClockSkew))
	for i := range p.ring.Keys {
		if k := &p.ring.Keys[i]; k.State == Retired && k.Published() && !k.SupersededAt.IsZero() {
			p.wakeAt(p.policy.RemovalTime(k))
		}
	}
}

// wakeAt brings the next look forward to at, unless that is past: what is past waits for something else to change.
func (p *planner) wakeAt(at time.Time) {
	if at.After(p.now) && (p.out.Wake.IsZero() || at.Before(p.out.Wake)) {
		p.out.Wake = at
	}
}

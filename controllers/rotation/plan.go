package rotation

import (
	"slices"
	"time"
)

// Decision is what Plan decided.
type Decision struct {
	// Next is the keyring to write before anything else. It equals the given one when there is nothing to do.
	Next Keyring
	// Moves lead from the given keyring to Next, in order. Without moves Next can still record an observation.
	Moves []Move
	// Wanted asks the caller for one new key, to be added with Decision.Prepare before Next is written.
	Wanted *KeySpec
	// Why is the reason of the Prepare that Wanted leads to.
	Why Reason
	// WantedSealing asks the caller for the secret of a sealing key, to be added with Decision.PrepareSealing before Next is written.
	WantedSealing bool
	// Wake is when to plan again if nothing changes before, zero for never.
	Wake time.Time
	// Rotation says when the next rotation is, and what it waits for.
	Rotation Rotation
	// SealingChanged is set when the sealing keys changed. sealAtOnce is set when the wanted one is used at once.
	SealingChanged bool
	sealAtOnce     bool
	// ListChanged is set when the list of ended tokens changed, and TokensFull says which requests were not taken up.
	ListChanged bool
	// CAChanged is set when the distributed CA certificates changed. CAFull is set when those of the source are not taken up, because too many
	// others left it lately.
	CAChanged, CAFull bool
	// TokensRecorded counts the requests that were taken up.
	TokensRecorded int
	TokensFull     map[string]TokensFull
	// Ended is set when the SigningKey is being deleted and nobody trusts its keys any more: every projection has been seen
	// without one for the propagation delay.
	Ended bool
	// Restored is set when the signing-key Secret was made from a later keyring than this one, which therefore comes from
	// a backup. Nothing but revocations may then be written.
	Restored bool
}

// planner carries the arguments of one Plan through its steps.
type planner struct {
	now      time.Time // what is recorded
	at       time.Time // what is decided by: not later than now
	policy   Policy
	observed Observed
	ring     Keyring
	out      Decision
}

// Plan decides what to do next. It is a function of its arguments alone. The caller writes Decision.Next with the
// resource version of the keyring it gave, plans again on a conflict, and only then writes the projections.
func Plan(now time.Time, policy Policy, ring Keyring, observed Observed) Decision {
	if observed.Secret.Present && observed.Secret.Generation > ring.Generation {
		return Decision{Next: ring, Restored: true}
	}
	p := planner{now: now, at: now, policy: policy, observed: observed, ring: ring.Clone()}
	if observed.At.Before(now) {
		p.at = observed.At
	}
	p.noteRevoked()
	p.revoke()
	p.revokeTokens()
	p.noteSigning()
	p.noteSuperseded()
	p.notePublication()
	p.drain()
	p.takeAllAway()
	p.replaceUnsuitableStandby()
	p.activate()
	p.remove()
	p.forget()
	p.noteEnded()
	p.prepare()
	p.seal()
	p.trustCA()
	p.schedule()
	if len(p.out.Moves) > 0 || p.out.Wanted != nil || p.out.ListChanged || p.out.SealingChanged || p.out.CAChanged {
		p.ring.Generation++
	}
	p.out.Next = p.ring
	return p.out
}

// Prepare adds the key that the decision wanted, as Standby. now must not be before the time given to Plan.
func (d *Decision) Prepare(now time.Time, m Material) {
	d.Next.Keys = append(d.Next.Keys, Key{
		ID: m.ID, KeySpec: *d.Wanted, State: Standby, Public: m.Public, Private: m.Private, PreparedAt: now,
	})
	d.Next.Spec = *d.Wanted
	d.Moves = append(d.Moves, Move{Kind: Prepare, KeyID: m.ID, Reason: d.Why})
	d.Wanted = nil
}

func (p *planner) move(kind MoveKind, id string, why Reason) {
	p.out.Moves = append(p.out.Moves, Move{Kind: kind, KeyID: id, Reason: why})
}

// noteSigning records since when the Active key signs, and the longest lifetime it signs under: before the signing-key
// Secret can say so, since the keyring is written first.
func (p *planner) noteSigning() {
	a := p.ring.Active()
	if a == nil {
		return
	}
	a.MaxLifetime = max(a.MaxLifetime, p.policy.MaxLifetime)
	if a.SigningFrom.IsZero() && p.observed.Secret.Present && p.observed.Secret.ActiveID == a.ID {
		a.SigningFrom = p.now
	}
}

// noteSuperseded records when the signing-key Secret was seen without a Retired key. It forgets that when the Secret is
// missing, or was missing meanwhile: issuers then go on with the files they have, and some may not have read the newer one
// before it vanished.
func (p *planner) noteSuperseded() {
	s := p.observed.Secret
	for i := range p.ring.Keys {
		k := &p.ring.Keys[i]
		if k.State != Retired {
			continue
		}
		if !s.Present || s.ActiveID == k.ID {
			k.SupersededAt, k.SupersededIn = time.Time{}, ""
		} else if s.Generation >= k.RetiredIn && (k.SupersededAt.IsZero() || k.SupersededIn != s.ID) {
			k.SupersededAt, k.SupersededIn = p.now, s.ID
		}
	}
}

// notePublication records since when the Standby is everywhere; a projection that falls back restarts the clock. A key
// that was activated early is followed until it is everywhere too, for the report.
func (p *planner) notePublication() {
	for _, k := range []*Key{p.ring.Standby(), p.ring.Active()} {
		switch {
		case k == nil:
		case p.everywhere(k.ID):
			if k.PublishedAt.IsZero() {
				k.PublishedAt = p.now
			}
			p.prove(k)
		case k.State == Standby:
			k.PublishedAt, k.Proof, k.ProofAt = time.Time{}, "", time.Time{}
		}
	}
}

// prove records what a later process can compare with to know that the Standby stayed everywhere while none was running. In a
// busy cluster, where some file changes all the time, that is one write per propagation delay.
func (p *planner) prove(k *Key) {
	digest := p.observed.Digest
	if k.State != Standby || digest == "" || digest == k.Proof || (k.Proof != "" && p.at.Before(k.ProofAt.Add(p.policy.PropagationDelay))) {
		return
	}
	if held := p.observed.HeldSince[k.ID]; held.After(k.PublishedAt) {
		k.PublishedAt = held // what was before that, this process does not know
	}
	k.Proof, k.ProofAt = digest, p.now
}

func (p *planner) everywhere(id string) bool {
	s := p.observed.Secret
	return s.Present && slices.Contains(s.Published, id) && p.observed.Lagging[id] == 0
}

// drain stops the signing.
func (p *planner) drain() {
	if !p.policy.Draining {
		return
	}
	if s := p.ring.Standby(); s != nil {
		p.takeAway(s, Draining)
	}
	if a := p.ring.Active(); a != nil {
		p.retire(a, Draining)
	}
	p.ring.Stopped = Draining
}

// replaceUnsuitableStandby takes away a Standby of another algorithm or size than the policy's. It never signed.
func (p *planner) replaceUnsuitableStandby() {
	s := p.ring.Standby()
	if s == nil || s.KeySpec == p.policy.KeySpec {
		return
	}
	if p.ring.EverActive && p.ring.Active() == nil {
		return // a revocation promotes what there is
	}
	p.takeAway(s, PolicyChanged)
}

// remove takes a Retired key out of the published set when the last token it can have signed has expired. Until the
// moment it was superseded has been seen, nothing is removed.
func (p *planner) remove() {
	for i := range p.ring.Keys {
		k := &p.ring.Keys[i]
		if k.State != Retired || !k.Published() || k.SupersededAt.IsZero() {
			continue
		}
		if !p.at.Before(p.policy.RemovalTime(k)) {
			p.takeAway(k, TokensExpired)
		}
	}
}

// EndOf is when a deletion is over whose last projection was seen without a key at a time.
func (p Policy) EndOf(ended time.Time) time.Time { return ended.Add(p.PropagationDelay + p.ClockSkew) }

// KeepFor is how long a namespace that is no longer selected keeps its file: as long as its pods can still meet a token that was signed while
// it was selected, under whichever policy.
func (p Policy) KeepFor(ring *Keyring) time.Duration {
	return p.PropagationDelay + max(p.MaxLifetime, ring.LongestLifetime()) + p.ClockSkew
}

// RemovalTime is when the last token of a Retired key has expired on every clock, zero while it was not seen superseded.
func (p Policy) RemovalTime(k *Key) time.Time {
	if k.SupersededAt.IsZero() {
		return time.Time{}
	}
	return k.SupersededAt.Add(p.PropagationDelay + k.MaxLifetime + p.ClockSkew)
}

func (p *planner) takeAway(k *Key, why Reason) {
	k.RemovedAt = p.now
	k.Private = nil
	p.move(Remove, k.ID, why)
}

func (p *planner) retire(k *Key, why Reason) {
	k.State = Retired
	k.Private = nil
	k.RetiredAt = p.now
	k.RetiredIn = p.ring.Generation + 1
	p.move(Retire, k.ID, why)
}

// forget drops removed keys from the keyring once the signing-key Secret was seen without them.
func (p *planner) forget() {
	if !p.observed.Secret.Present {
		return
	}
	p.ring.Keys = slices.DeleteFunc(p.ring.Keys, func(k Key) bool {
		return !k.Published() && k.RemovedAt.Before(p.now) && !slices.Contains(p.observed.Secret.Published, k.ID)
	})
}

// prepare wants a new Standby whenever none waits.
func (p *planner) prepare() {
	if p.policy.Ending() || p.ring.Standby() != nil {
		return
	}
	spec := p.policy.KeySpec
	p.out.Wanted, p.out.Why = &spec, NextStandby
	switch {
	case !p.ring.EverActive:
		p.out.Why = FirstKey
	case p.ring.Active() == nil:
		p.out.Why = KeyRevoked
	}
}

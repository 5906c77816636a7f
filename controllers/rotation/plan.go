package rotation

import (
	"slices"
	"time"
)

// Decision is the result of Plan.
type Decision struct {
	// Next is the keyring to write first. It equals the given one if there is nothing to do.
	Next Keyring
	// Moves lead from the given keyring to Next, in order. Next may differ without moves, by a recorded observation.
	Moves []Move
	// Wanted requests a new key, to be added with Decision.Prepare before Next is written.
	Wanted *KeySpec
	// Why is the reason for the Prepare of the wanted key.
	Why Reason
	// WantedSealing requests a sealing secret, to be added with Decision.PrepareSealing before Next is written.
	WantedSealing bool
	// Wake is when to plan again if nothing changes, zero for never.
	Wake time.Time
	// Rotation is the next rotation.
	Rotation Rotation
	// SealingChanged is true if the sealing keys changed. sealAtOnce is true if the wanted one is used at once.
	SealingChanged bool
	sealAtOnce     bool
	// ListChanged is true if the list of token revocations changed, and TokensFull contains the requests that were
	// not recorded.
	ListChanged bool
	// CAChanged is true if the CA certificates changed. CAFull is true if those of the source do not fit, because too
	// many others left it recently.
	CAChanged, CAFull bool
	// TokensRecorded is the number of newly recorded requests.
	TokensRecorded int
	TokensFull     map[string]TokensFull
	// Ended is true if the SigningKey is being deleted, and every projection has been without a key for the
	// propagation delay.
	Ended bool
	// Restored is true if the signing-key Secret was made from a later keyring, so that this one was restored from a
	// backup. Only revocations may then be written.
	Restored bool
}

// planner holds the arguments and the result of one Plan.
type planner struct {
	now      time.Time // the time to record
	at       time.Time // the time for decisions, not later than now
	policy   Policy
	observed Observed
	ring     Keyring
	out      Decision
}

// Plan decides the next moves as a pure function of its arguments. The caller writes Decision.Next with the resource
// version of the given keyring, plans again on a conflict, and writes the projections after that.
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
	p.unpublishAll()
	p.replaceUnsuitableStandby()
	p.activate()
	p.remove()
	p.dropRemoved()
	p.noteEnded()
	p.prepare()
	p.updateSealing()
	p.updateCA()
	p.schedule()
	if len(p.out.Moves) > 0 || p.out.Wanted != nil || p.out.ListChanged || p.out.SealingChanged || p.out.CAChanged {
		p.ring.Generation++
	}
	p.out.Next = p.ring
	return p.out
}

// Prepare adds the wanted key as Standby. now must not be before the time passed to Plan.
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

// noteSigning records since when the Active key signs, and the maximum lifetime of its tokens. The keyring is written
// before the signing-key Secret, so the record is never too late.
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

// noteSuperseded records when the signing-key Secret was observed without a Retired key. It resets that if the Secret
// is or was missing: issuers then keep the files they have, which may be older.
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

// notePublication records since when the Standby is published everywhere, and resets that if a projection loses it. A
// key that was activated early is tracked too, for the report.
func (p *planner) notePublication() {
	for _, k := range []*Key{p.ring.Standby(), p.ring.Active()} {
		switch {
		case k == nil:
		case p.publishedEverywhere(k.ID):
			if k.PublishedAt.IsZero() {
				k.PublishedAt = p.now
			}
			p.recordProof(k)
		case k.State == Standby:
			k.PublishedAt, k.Proof, k.ProofAt = time.Time{}, "", time.Time{}
		}
	}
}

// recordProof records a digest with which a later process can verify that the Standby stayed published. In a busy
// cluster that is one write per propagation delay.
func (p *planner) recordProof(k *Key) {
	digest := p.observed.Digest
	if k.State != Standby || digest == "" || digest == k.Proof || (k.Proof != "" && p.at.Before(k.ProofAt.Add(p.policy.PropagationDelay))) {
		return
	}
	if held := p.observed.HeldSince[k.ID]; held.After(k.PublishedAt) {
		k.PublishedAt = held // earlier changes are not known to this process
	}
	k.Proof, k.ProofAt = digest, p.now
}

func (p *planner) publishedEverywhere(id string) bool {
	s := p.observed.Secret
	return s.Present && slices.Contains(s.Published, id) && p.observed.Lagging[id] == 0
}

// drain stops signing.
func (p *planner) drain() {
	if !p.policy.Draining {
		return
	}
	if s := p.ring.Standby(); s != nil {
		p.unpublish(s, Draining)
	}
	if a := p.ring.Active(); a != nil {
		p.retire(a, Draining)
	}
	p.ring.Stopped = Draining
}

// replaceUnsuitableStandby removes a Standby whose algorithm or size is not that of the policy. It never signed.
func (p *planner) replaceUnsuitableStandby() {
	s := p.ring.Standby()
	if s == nil || s.KeySpec == p.policy.KeySpec {
		return
	}
	if p.ring.EverActive && p.ring.Active() == nil {
		return // a revocation promotes any Standby
	}
	p.unpublish(s, PolicyChanged)
}

// remove removes a Retired key from the published set when its last token has expired. It removes nothing before the
// key was observed as superseded.
func (p *planner) remove() {
	for i := range p.ring.Keys {
		k := &p.ring.Keys[i]
		if k.State != Retired || !k.Published() || k.SupersededAt.IsZero() {
			continue
		}
		if !p.at.Before(p.policy.RemovalTime(k)) {
			p.unpublish(k, TokensExpired)
		}
	}
}

// EndOf returns when a deletion is complete, for the time at which the last projection was observed without a key.
func (p Policy) EndOf(ended time.Time) time.Time { return ended.Add(p.PropagationDelay + p.ClockSkew) }

// KeepFor returns how long a namespace that is no longer selected keeps its file: as long as tokens that were signed
// while it was selected can be valid.
func (p Policy) KeepFor(ring *Keyring) time.Duration {
	return p.PropagationDelay + max(p.MaxLifetime, ring.LongestLifetime()) + p.ClockSkew
}

// RemovalTime returns when the last token of a Retired key has expired on every clock, zero if the key was not
// observed as superseded.
func (p Policy) RemovalTime(k *Key) time.Time {
	if k.SupersededAt.IsZero() {
		return time.Time{}
	}
	return k.SupersededAt.Add(p.PropagationDelay + k.MaxLifetime + p.ClockSkew)
}

func (p *planner) unpublish(k *Key, why Reason) {
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

// dropRemoved drops removed keys from the keyring once the signing-key Secret is observed without them.
func (p *planner) dropRemoved() {
	if !p.observed.Secret.Present {
		return
	}
	p.ring.Keys = slices.DeleteFunc(p.ring.Keys, func(k Key) bool {
		return !k.Published() && k.RemovedAt.Before(p.now) && !slices.Contains(p.observed.Secret.Published, k.ID)
	})
}

// prepare requests a new Standby if there is none.
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

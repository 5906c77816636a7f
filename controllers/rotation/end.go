package rotation

import "time"

// unpublishAll removes all keys from the published set at once.
func (p *planner) unpublishAll() {
	if !p.policy.Deleting {
		return
	}
	for i := range p.ring.Keys {
		k := &p.ring.Keys[i]
		if !k.Published() {
			continue
		}
		if k.State == Active {
			p.retire(k, Deleted)
		}
		p.unpublish(k, Deleted)
	}
	p.ring.Stopped = Deleted
}

// noteEnded records when the last key left the published set, and since when every projection is without a key. A
// target that rejects writes is left behind after WaitForTargets.
func (p *planner) noteEnded() {
	if !p.policy.Ending() || len(p.ring.PublishedIDs()) > 0 {
		p.ring.EndingAt, p.ring.EndedAt = time.Time{}, time.Time{}
		return
	}
	if p.ring.EndingAt.IsZero() {
		p.ring.EndingAt = p.now
	}
	s := p.observed.Secret
	taken := s.Present && s.ActiveID == "" && len(s.Published) == 0
	files := p.observed.Holders == 0 || !p.at.Before(p.leftBehindAt())
	switch {
	case !taken || !files:
		p.ring.EndedAt = time.Time{}
	case p.ring.EndedAt.IsZero():
		p.ring.EndedAt = p.now
	}
}

// leftBehindAt returns when a deletion stops waiting for targets that reject writes.
func (p *planner) leftBehindAt() time.Time { return p.ring.EndingAt.Add(p.policy.waitForTargets()) }

// scheduleEnd sets when the deletion is complete. Pods read the last file within the propagation delay, and the clock
// that recorded EndedAt may have been behind.
func (p *planner) scheduleEnd() {
	if p.ring.EndingAt.IsZero() {
		return
	}
	p.wakeAt(p.leftBehindAt())
	if p.ring.EndedAt.IsZero() {
		return
	}
	at := p.policy.EndOf(p.ring.EndedAt)
	p.out.Ended = !p.at.Before(at)
	p.wakeAt(at)
}

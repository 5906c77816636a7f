package rotation

import "time"

// takeAllAway ends all trust at once.
func (p *planner) takeAllAway() {
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
		p.takeAway(k, Deleted)
	}
	p.ring.Stopped = Deleted
}

// noteEnded records since when no key is published, and since when every projection was seen without one. A target that refuses
// to be written to is left behind after WaitForTargets.
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

// leftBehindAt is when a deletion waits no longer for targets that refuse.
func (p *planner) leftBehindAt() time.Time { return p.ring.EndingAt.Add(p.policy.waitForTargets()) }

// scheduleEnd says when the deletion is over. Pods read the last file within the propagation delay, and the clock of whoever noted EndedAt
// may have been behind.
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

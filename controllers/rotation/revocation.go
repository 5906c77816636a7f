package rotation

import (
	"slices"
	"time"
)

// Revocation records a revoked key ID and the progress of its revocation. A zero time means that the event has not
// happened.
type Revocation struct {
	ID string    `json:"kid"`
	At time.Time `json:"at"`
	// Known is true if the keyring contained the key when it was revoked.
	Known bool `json:"known"`
	// Signed is true if the key was Active when it was revoked.
	Signed bool `json:"signed,omitempty"`
	// SigningMovedAt is when the signing-key Secret was first observed with another Active key.
	SigningMovedAt time.Time `json:"signingMovedAt,omitzero"`
	// RemovedAt is when the signing-key Secret and the files of all targets were observed without the key.
	RemovedAt time.Time `json:"removedAt,omitzero"`
	// Nudged is when kubelets were made to renew the files of running pods.
	Nudged Nudged `json:"nudged,omitzero"`
}

// Nudged is when the last pod with a mounted file of a revoked key was nudged.
type Nudged struct {
	At time.Time `json:"at,omitzero"`
	// Everywhere is true if the pods of the targets were nudged too, and not only those of the issuer.
	Everywhere bool `json:"everywhere,omitempty"`
}

// refreshTime is the time in which a nudged kubelet renews the files of a pod. Measured: 0.3 to 0.6 s for all pods of
// a node.
const refreshTime = 5 * time.Second

// EverywhereBy returns when the files of all running pods are without the key, zero if that is not known. It is
// computed: no signal of the API confirms it.
func (r *Revocation) EverywhereBy(p Policy) time.Time { return everywhereBy(r.RemovedAt, r.Nudged, p) }

func everywhereBy(removed time.Time, nudged Nudged, p Policy) time.Time {
	if removed.IsZero() {
		return time.Time{}
	}
	by := removed.Add(p.PropagationDelay)
	if nudged.Everywhere {
		if nudged := nudged.At.Add(refreshTime); nudged.Before(by) {
			return nudged
		}
	}
	return by
}

// revoke removes the keys that the spec or the keyring's record names.
func (p *planner) revoke() {
	for _, id := range p.policy.Revoked {
		if p.ring.isRevoked(id) {
			continue
		}
		i := slices.IndexFunc(p.ring.Keys, func(k Key) bool { return k.ID == id })
		known := i >= 0
		if known && p.ring.Keys[i].State == Active {
			p.ring.Stopped = ""
		}
		if known && !slices.Contains(p.policy.KeepSessions, id) {
			p.dropSealingOf(&p.ring.Keys[i])
		}
		p.ring.Revoked = append(p.ring.Revoked, Revocation{
			ID: id, At: p.now, Known: known, Signed: known && p.ring.Keys[i].State == Active,
		})
		p.move(Revoke, id, KeyRevoked)
	}
	p.ring.Keys = slices.DeleteFunc(p.ring.Keys, func(k Key) bool { return p.ring.isRevoked(k.ID) })
}

// noteRevoked records the progress of each revocation.
func (p *planner) noteRevoked() {
	for i := range p.ring.Revoked {
		p.ring.Revoked[i].Note(p.now, p.observed)
	}
}

// Note records the observed progress of the revocation.
func (r *Revocation) Note(now time.Time, observed Observed) {
	s := observed.Secret
	if r.Signed && r.SigningMovedAt.IsZero() && s.Present && s.ActiveID != "" && s.ActiveID != r.ID {
		r.SigningMovedAt = now
	}
	if r.RemovedAt.IsZero() && s.Present && s.ActiveID != r.ID && !slices.Contains(s.Published, r.ID) && observed.Holding[r.ID] == 0 {
		r.RemovedAt = now
	}
	if nudged, ok := observed.Nudged[r.ID]; ok && r.Nudged.At.IsZero() {
		r.Nudged = nudged
	}
}

func (r *Keyring) isRevoked(id string) bool {
	return slices.ContainsFunc(r.Revoked, func(v Revocation) bool { return v.ID == id })
}

func equalRevocations(a, b Revocation) bool {
	return a.ID == b.ID && a.Known == b.Known && a.Signed == b.Signed && a.At.Equal(b.At) &&
		a.SigningMovedAt.Equal(b.SigningMovedAt) && a.RemovedAt.Equal(b.RemovedAt) &&
		a.Nudged.At.Equal(b.Nudged.At) && a.Nudged.Everywhere == b.Nudged.Everywhere
}

package rotation

import (
	"slices"
	"time"
)

// Revocation records a key ID that must never be trusted again, and how far that has come. A zero time means: not yet.
type Revocation struct {
	ID string    `json:"kid"`
	At time.Time `json:"at"`
	// Known reports whether the keyring held the key when it was revoked.
	Known bool `json:"known"`
	// Signed reports whether the key was the Active one when it was revoked.
	Signed bool `json:"signed,omitempty"`
	// SigningMovedAt is when the signing-key Secret was first seen to hold another Active key.
	SigningMovedAt time.Time `json:"signingMovedAt,omitzero"`
	// RemovedAt is when neither the signing-key Secret nor the file of any target was seen to hold the key any more.
	RemovedAt time.Time `json:"removedAt,omitzero"`
	// Nudged says when kubelets were made to renew the files of running pods.
	Nudged Nudged `json:"nudged,omitzero"`
}

// Nudged says when the last pod was nudged that had mounted a file with a revoked key.
type Nudged struct {
	At time.Time `json:"at,omitzero"`
	// Everywhere reports whether the pods of the targets were nudged too, not those of the issuer alone.
	Everywhere bool `json:"everywhere,omitempty"`
}

// refreshTime is within what a nudged kubelet has renewed the files of a pod. Measured: 0.3 to 0.6 s for all pods of a
// node.
const refreshTime = 5 * time.Second

// EverywhereBy is when the files of all running pods are bound to be without the key, zero while that cannot be said. No
// signal of the API confirms it.
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

// revoke drops the keys that the spec or the keyring's own record names, whichever names more.
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
			p.unseal(&p.ring.Keys[i])
		}
		p.ring.Revoked = append(p.ring.Revoked, Revocation{
			ID: id, At: p.now, Known: known, Signed: known && p.ring.Keys[i].State == Active,
		})
		p.move(Revoke, id, KeyRevoked)
	}
	p.ring.Keys = slices.DeleteFunc(p.ring.Keys, func(k Key) bool { return p.ring.isRevoked(k.ID) })
}

// noteRevoked records how far each revocation has come.
func (p *planner) noteRevoked() {
	for i := range p.ring.Revoked {
		p.ring.Revoked[i].Note(p.now, p.observed)
	}
}

// Note records how far the revocation has come, as observed.
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

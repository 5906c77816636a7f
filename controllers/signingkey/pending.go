package signingkey

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

// toRemove returns the keys that must leave all files and stop signing: revoked ones, and all keys of a SigningKey that
// is deleted with the policy Delete.
func (p *pass) toRemove() []string {
	ids := desired.RevokedIDs(&p.keyring.Ring, p.policy.Revoked)
	if p.policy.Deleting {
		ids = union(union(ids, p.keyring.Read.PublishedIDs()), allKeysIn(p.secret))
	}
	return ids
}

func allKeysIn(s *corev1.Secret) []string {
	if s == nil {
		return nil
	}
	ids := issuerfiles.KeyIDs(s.Data[contract.JWKSFile])
	if active := issuerfiles.KeyID(s.Data[contract.ActiveFile]); active != "" {
		ids = union(ids, []string{active})
	}
	return ids
}

// trackPending records the progress of revocations that are not in the keyring because it cannot be read or written.
// The progress is in memory and in the status, from which its times are read after a restart.
func (r *Reconciler) trackPending(p *pass) {
	var known []rotation.Revocation
	if before, ok := r.pending.Load(p.name); ok {
		known, _ = before.([]rotation.Revocation)
	}
	recorded := desired.RevokedIDs(&p.keyring.Read, nil)
	known = slices.DeleteFunc(slices.Clone(known), func(v rotation.Revocation) bool { return slices.Contains(recorded, v.ID) })
	p.pending = nil
	if p.frozen() || p.refusal != nil {
		for _, id := range p.policy.Revoked {
			if !slices.Contains(recorded, id) && !slices.ContainsFunc(known, func(v rotation.Revocation) bool { return v.ID == id }) {
				known = append(known, p.revocation(id))
			}
		}
		for i := range known {
			known[i].Note(p.now, p.observed)
		}
		p.pending = known
	}
	r.pending.Store(p.name, known)
}

// revocation returns a new record of a revocation, with the times of the status if it has them.
func (p *pass) revocation(id string) rotation.Revocation {
	v := rotation.Revocation{
		ID: id, At: p.now, Signed: p.observed.Secret.ActiveID == id,
		Known: slices.Contains(p.keyring.Read.PublishedIDs(), id) || slices.Contains(allKeysIn(p.secret), id),
	}
	for i := range p.key.Status.Revocations {
		was := &p.key.Status.Revocations[i]
		if was.KeyID != id {
			continue
		}
		v.At, v.Known = was.RevokedAt.Time, was.Known
		if was.RemovedAt != nil {
			v.RemovedAt = was.RemovedAt.Time
		}
	}
	return v
}

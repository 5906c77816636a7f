package rotation_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keywright/keywright/controllers/rotation"
)

// readIssuer refreshes an issuer's files. A missing Secret leaves them in place. To make it hard, a last token is signed
// by the old ones.
func (w *world) readIssuer(i int) {
	f := w.issuers[i]
	w.sign(i)
	f.deadline = w.now + w.lag()
	if w.secret.exists() {
		f.has, f.val = true, w.secret.val
	}
}

// readVerifier refreshes a verifier's file, and checks that it can still verify every live token.
func (w *world) readVerifier(t *target) {
	t.verifier.deadline = w.now + w.lag()
	if !t.cm.exists() {
		return
	}
	if !t.verifier.has {
		t.since = w.now
	}
	t.verifier.has, t.verifier.val = true, t.cm.val
	for kid, until := range w.liveUntil {
		if until > w.now {
			w.mustKnow(t, kid, "lost the key of a live token")
		} else {
			delete(w.liveUntil, kid)
		}
	}
}

// mustKnow is invariant 1, with its two exceptions.
func (w *world) mustKnow(t *target, kid, what string) {
	if !t.verifier.has || slices.Contains(t.verifier.val.keys, kid) || w.revoked(kid) || t.unseen[kid] {
		return
	}
	if w.now <= t.since+w.policy.PropagationDelay {
		return // a verifier that had no file of this name yet
	}
	if !t.cm.exists() || w.now <= t.back+w.policy.PropagationDelay {
		return // a target without a ConfigMap is not awaited: its files stay as they are until it has one again
	}
	since, have := t.haveSince[kid]
	if w.early[kid] && (!have || w.now <= since+w.policy.PropagationDelay) {
		return // the key that a revocation activates young
	}
	w.violate("invariant 1: verifier in %s %s %s", t.name, what, kid)
}

// sign issues a token at an issuer, as long-lived as its policy allows.
func (w *world) sign(i int) {
	f := w.issuers[i]
	if !f.has || f.val.active == "" {
		return
	}
	kid := f.val.active
	if w.revoked(kid) {
		return // rejected, and meant to be
	}
	w.liveUntil[kid] = max(w.liveUntil[kid], w.now+f.val.lifetime)
	for _, t := range w.targets {
		w.mustKnow(t, kid, "does not know the signer")
	}
}

func (w *world) revoked(kid string) bool {
	return slices.Contains(w.policy.Revoked, kid) || w.recorded(kid)
}

// recorded reports whether the keyring has a revocation of kid on record.
func (w *world) recorded(kid string) bool {
	return slices.ContainsFunc(w.keyring.val.Revoked, func(r rotation.Revocation) bool { return r.ID == kid })
}

// putKeyring stores a keyring and checks its shape.
func (w *world) putKeyring(r rotation.Keyring, moves []rotation.Move) {
	w.keyring.put(r)
	if w.keyring.next%8 == 0 { // it takes longer than everything else
		w.checkShape(r)
	}
	for _, v := range r.Revoked {
		if _, ok := w.revokedIn[v.ID]; !ok {
			w.revokedIn[v.ID] = r.Generation
		}
	}
	for _, m := range moves {
		if m.Kind != rotation.Activate {
			continue
		}
		w.early[m.KeyID] = m.Early
		w.activations++
		if m.Reason == rotation.Scheduled {
			if w.rotations > 0 && w.now-w.last < w.shortest-w.policy.ClockSkew {
				w.violate("invariant 5: two scheduled rotations within %s", w.now-w.last)
			}
			w.rotations, w.last = w.rotations+1, w.now
		}
	}
	if s := r.Standby(); s != nil && s.PublishedAt.IsZero() {
		for _, t := range w.targets {
			delete(t.unseen, s.ID)
		}
	}
}

// checkShape has the keyring checked as the controller does when it reads it back.
func (w *world) checkShape(r rotation.Keyring) {
	b, err := r.Encode()
	if err == nil {
		_, err = rotation.Decode(b)
	}
	if err != nil {
		w.violate("invariant 4 or 5: %v", err)
	}
}

// putSecret stores a signing-key Secret and checks what it lets issuers sign with.
func (w *world) putSecret(s secret) {
	if old := w.secret.val; w.secret.exists() {
		if s.gen < old.gen {
			w.violate("invariant 6: the Secret goes back from %d to %d", old.gen, s.gen)
		}
	}
	w.checkRevoked("the Secret", s.gen, s.keys)
	if s.active != "" && !w.signed[s.active] && !w.early[s.active] && !w.revoked(s.active) {
		w.checkPublished(s.active)
	}
	w.signed[s.active] = true
	for i, f := range w.issuers {
		if w.rnd.IntN(2) == 0 { // this one has read just before, and will not for as long as it may
			w.readIssuer(i)
			f.deadline = w.now + w.policy.PropagationDelay
		}
	}
	w.secret.put(s)
}

// checkPublished is invariant 2.
func (w *world) checkPublished(kid string) {
	for _, t := range w.targets {
		since, have := t.haveSince[kid]
		if !t.cm.exists() || t.unseen[kid] || w.now <= t.back+w.policy.PropagationDelay {
			continue
		}
		if !have || w.now < since+w.policy.PropagationDelay {
			w.violate("invariant 2: %s signs, and is in %s since %s (%v)", kid, t.name, since, have)
		}
	}
}

// checkRevoked is invariant 3: no projection of a keyring that knows of a revocation holds the key. (A second controller
// that does not know of it yet may be one write behind; generations see to it that this write never replaces a later one.)
func (w *world) checkRevoked(what string, gen int64, kids []string) {
	for _, kid := range kids {
		if in, ok := w.revokedIn[kid]; ok && gen >= in {
			w.violate("invariant 3: %s of generation %d holds %s, revoked in %d", what, gen, kid, in)
		}
	}
}

// putConfigMap stores a target's ConfigMap as a controller wrote it.
func (w *world) putConfigMap(t *target, cm configMap) {
	if old := t.cm.val; t.cm.exists() {
		if cm.gen < old.gen {
			w.violate("invariant 6: %s goes back from %d to %d", t.name, old.gen, cm.gen)
		}
	}
	w.checkRevoked(t.name, cm.gen, cm.keys)
	w.edit(t, cm)
}

// edit stores a ConfigMap, whoever wrote it.
func (w *world) edit(t *target, cm configMap) {
	if !t.cm.exists() {
		t.back = w.now
	}
	if t.verifier.has && w.rnd.IntN(2) == 0 { // this one has read just before, and will not for as long as it may
		w.readVerifier(t)
		t.verifier.deadline = w.now + w.policy.PropagationDelay
	}
	t.cm.put(cm)
	for kid := range t.haveSince {
		if !slices.Contains(cm.keys, kid) {
			delete(t.haveSince, kid)
		}
	}
	for _, kid := range cm.keys {
		if _, ok := t.haveSince[kid]; !ok {
			t.haveSince[kid] = w.now
		}
	}
	if !t.verifier.has {
		w.readVerifier(t) // a pod starts as soon as it can mount
	}
}

// newKey plays the key generator.
func (w *world) newKey() rotation.Material {
	w.made++
	id := fmt.Sprintf("k%d", w.made)
	return rotation.Material{ID: id, Public: []byte(`{"kid":"` + id + `"}`), Private: rotation.PrivateJWK(`{"d":"` + id + `"}`)}
}

func (w *world) String() string { return strings.Join(w.trace, "\n") }

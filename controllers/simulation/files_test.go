package simulation

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
)

// generationIn returns the generation in the record of a ConfigMap.
func generationIn(cm *corev1.ConfigMap) int64 {
	var records map[string]struct {
		Generation int64 `json:"generation"`
	}
	if cm == nil || json.Unmarshal([]byte(cm.Annotations[contract.ProjectionsAnnotation]), &records) != nil {
		return 0
	}
	return records[signingKey].Generation
}

// deselectedIn reports whether the record of a ConfigMap has the deselection of its namespace.
func deselectedIn(cm *corev1.ConfigMap) bool {
	var records map[string]struct {
		DeselectedAt *time.Time `json:"deselectedAt"`
	}
	return cm != nil && json.Unmarshal([]byte(cm.Annotations[contract.ProjectionsAnnotation]), &records) == nil &&
		records[signingKey].DeselectedAt != nil
}

func generationOf(s *corev1.Secret) int64 {
	g, _ := strconv.ParseInt(s.Annotations[contract.GenerationAnnotation], 10, 64)
	return g
}

// fileChanged records a change of the file of a namespace, and checks it if a controller wrote it.
func (f *facts) fileChanged(c change) {
	n := f.namespace(c.ref.namespace)
	old, _ := c.old.(*corev1.ConfigMap)
	cm, _ := c.new.(*corev1.ConfigMap)
	content, before := "", ""
	if cm != nil {
		content = cm.Data[signingKey+contract.JWKSSuffix]
	}
	if old != nil {
		before = old.Data[signingKey+contract.JWKSSuffix]
	}
	kids := issuerfiles.KeyIDs([]byte(content))
	if issuerfiles.TrustsNobody(content) {
		kids = nil
	}
	if f.w.writer != nil {
		f.checkFile(c.ref.namespace, n, old, cm, content, before, kids)
	} else if (content != before || cm == nil) && (len(kids) > 0 || !n.file.IsZero()) {
		f.damage(c.ref.namespace, n, kids)
	}
	n.edited = f.w.writer == nil
	maps.DeleteFunc(n.held, func(kid string, _ time.Time) bool { return !slices.Contains(kids, kid) })
	for _, kid := range kids {
		if _, held := n.held[kid]; !held {
			n.held[kid] = f.w.now
		}
	}
	switch {
	case len(kids) == 0:
		n.file = time.Time{}
		if f.w.writer != nil {
			n.damaged = 0 // no pod there has a key any more
		}
	case n.file.IsZero():
		n.file = f.w.now
	}
}

// damage records that a user removed keys from a file. Until it is restored, signing keys may be missing there.
func (f *facts) damage(name string, n *namespaceFacts, kids []string) {
	n.damaged = len(f.w.store.changes[kindConfigMap])
	for kid, since := range n.held {
		if !slices.Contains(kids, kid) {
			n.taken[kid] = since
		}
	}
	for kid, k := range f.keys {
		if k.activated && !slices.Contains(kids, kid) {
			k.excused[name] = true
		}
	}
}

// checkFile checks the invariants for a ConfigMap that a controller wrote.
func (f *facts) checkFile(name string, n *namespaceFacts, old, cm *corev1.ConfigMap, content, before string, kids []string) {
	if cm == nil {
		if !isTrue(old.Immutable) {
			f.w.violate("a controller deletes the ConfigMap of %s", name)
		}
		return
	}
	f.w.mustNotHoldPrivateJSON("the ConfigMap of "+name, cm.Data)
	if f.w.foreign != nil {
		f.w.foreign.checkFiles(name, old, cm)
	}
	if cm.Data[signingKey+contract.JWKSSuffix] == "" && before != "" && f.w.key() != nil {
		f.w.violate("the file of %s vanishes: trust is taken away by a tombstone", name)
	}
	if content != "" {
		if keys, err := issuerfiles.DecodeKeySet([]byte(content)); err != nil || len(keys) == 0 && !issuerfiles.TrustsNobody(content) {
			if content != before {
				f.w.violate("the set of %s is empty, and no tombstone: %s", name, content)
			}
		}
	}
	g, was := generationIn(cm), generationIn(old)
	rebuilt := f.ring.Generation == g // from a Secret that is older than the files: the keyring is the source of truth
	if old != nil && !n.edited && !rebuilt && was <= f.highest && g < was && len(kids) > 0 && before != "" && !issuerfiles.TrustsNobody(before) {
		f.w.violate("invariant 6: the file of %s goes back from %d to %d", name, was, g)
	}
	if content != before {
		f.checkRevoked("the file of "+name, g, kids)
	}
	if len(kids) == 0 && before != "" && !issuerfiles.TrustsNobody(before) {
		f.checkTombstone(name, n, issuerfiles.KeyIDs([]byte(before)))
	}
}

// checkRevoked checks invariant 3: a process that has recorded a revocation writes the key nowhere, and no process does
// from a keyring that has it.
func (f *facts) checkRevoked(what string, generation int64, kids []string) {
	for _, kid := range kids {
		k := f.key(kid)
		if k.loose {
			continue
		}
		if k.recorded > 0 && generation >= k.recorded {
			f.w.violate("invariant 3: %s of generation %d holds %s, revoked in %d", what, generation, kid, k.recorded)
		}
		if since, known := k.known[f.w.writer]; known && f.w.writing.started > since {
			f.w.violate("invariant 3: %s holds %s, whose revocation %s has taken up", what, kid, f.w.writer.name)
		}
	}
}

// checkTombstone asserts that no trust ends that live tokens depend on.
func (f *facts) checkTombstone(name string, n *namespaceFacts, held []string) {
	key := f.w.key()
	if len(f.ring.PublishedIDs()) == 0 || f.w.secret(keyringRef) == nil && f.w.secret(secretRef) == nil {
		return
	}
	ours := slices.DeleteFunc(held, func(kid string) bool { return !slices.Contains(f.ring.PublishedIDs(), kid) }) // the others were added by users
	if key == nil || key.DeletionTimestamp == nil {
		if n.selected && f.w.now.After(n.selectedAt.Add(f.w.lag)) && !f.allRevoked(ours) {
			f.w.violate("%s is selected, and a tombstone takes all trust away", name)
		}
	}
	for _, k := range f.keys {
		for _, t := range k.tokens {
			if f.relied(name, n, k, t) {
				f.w.violate("a tombstone takes trust away in %s, where a token of %s is live", name, t.kid)
			}
		}
	}
}

// allRevoked reports whether users ended the trust in each of these keys, by a revocation or a deletion.
func (f *facts) allRevoked(kids []string) bool {
	for _, kid := range kids {
		if k := f.key(kid); !k.asked && !k.dead {
			return false
		}
	}
	return true
}

// secretChanged checks a signing-key Secret that a controller wrote.
func (f *facts) secretChanged(c change) {
	s, _ := c.new.(*corev1.Secret)
	old, _ := c.old.(*corev1.Secret)
	if f.w.writer == nil {
		f.editedSecret = true
		if s != nil {
			if kid := issuerfiles.KeyID(s.Data[contract.ActiveFile]); f.ring.Active() == nil || f.ring.Active().ID != kid {
				f.key(kid).foreign = true
			}
		}
		return
	}
	if s == nil {
		return
	}
	kids := issuerfiles.KeyIDs(s.Data[contract.JWKSFile])
	if issuerfiles.TrustsNobody(string(s.Data[contract.JWKSFile])) {
		kids = nil
	}
	active := issuerfiles.KeyID(s.Data[contract.ActiveFile])
	f.w.log("the Secret lets %q sign, and publishes %v", active, kids)
	f.w.mustNotHoldPrivateKeys("jwks.json", string(s.Data[contract.JWKSFile]))
	if old != nil && !f.editedSecret && generationOf(old) <= f.highest && generationOf(s) < generationOf(old) {
		f.w.violate("invariant 6: the Secret goes back from %d to %d", generationOf(old), generationOf(s))
	}
	f.editedSecret = false
	f.highest = max(f.highest, generationOf(s))
	f.checkRevoked("the Secret", generationOf(s), kids)
	if active != "" {
		f.checkRevoked("active.jwk of the Secret", generationOf(s), []string{active})
		if !f.key(active).activated && !f.key(active).foreign {
			f.w.violate("invariant 2: the Secret lets %s sign, which no keyring made Active: a hand-over before the write", active)
		}
	}
	before := ""
	if old != nil {
		before = string(old.Data[contract.JWKSFile])
	}
	if content := string(s.Data[contract.JWKSFile]); len(kids) == 0 && content != before && !issuerfiles.TrustsNobody(content) {
		f.w.violate("jwks.json of the Secret is empty, and no tombstone")
	}
	for _, kid := range f.inSecretList() {
		f.key(kid).loose = false
	}
}

// signed records a token, which every verifier must accept until it expires.
func (f *facts) signed(t *signed) {
	k := f.key(t.kid)
	if k.dead || k.foreign {
		return
	}
	k.tokens = slices.DeleteFunc(k.tokens, func(o *signed) bool {
		return !o.until.After(f.w.now) || o.at.Before(t.at) && !o.until.After(t.until) && !f.split(o, t)
	})
	k.tokens = append(k.tokens, t)
	for _, p := range f.w.pods.all {
		f.mustAccept(p, k, t)
		f.mustRefuse(p, t)
	}
}

// split reports whether a namespace may accept one token and not the other, because it was deselected in between.
func (f *facts) split(o, t *signed) bool {
	for _, n := range f.namespaces {
		if !n.selected && n.selectedAt.After(o.at) && !n.selectedAt.After(t.at) {
			return true
		}
	}
	return false
}

// relied reports whether the verifiers of a namespace must accept a token.
func (f *facts) relied(name string, n *namespaceFacts, k *keyFacts, t *signed) bool {
	if k.asked || k.loose || k.dead || k.foreign || !t.until.After(f.w.now) || f.named(t) {
		return false
	}
	if !n.selected && (n.unheard || !t.at.Before(n.selectedAt)) || n.selected && t.at.Before(n.selectedAt) {
		return false
	}
	if k.excused[name] {
		since, held := n.held[t.kid]
		if !held || !f.w.now.After(since.Add(f.w.lag)) {
			return false
		}
		delete(k.excused, name)
	}
	return true
}

// mustAccept checks invariant 1.
func (f *facts) mustAccept(p *pod, k *keyFacts, t *signed) {
	n := f.namespace(p.namespace)
	if p.issuer || p.content == "" || !f.w.now.After(p.since.Add(f.w.lag)) || !f.relied(p.namespace, n, k, t) {
		return
	}
	if err := f.w.pods.verify(p, t); err != nil {
		f.w.violate("invariant 1: %s refuses a token of %s that was signed at %s and lives until %s: %v", p, t.kid,
			t.at.Sub(f.w.now), t.until.Sub(f.w.now), err)
	}
}

// reread checks a verifier after it has read its file.
func (f *facts) reread(p *pod) {
	for _, kid := range slices.Sorted(maps.Keys(f.keys)) {
		k := f.keys[kid]
		for _, t := range k.tokens {
			f.mustAccept(p, k, t)
			f.mustRefuse(p, t)
		}
	}
}

// taken records the revocations that a process knows: its signingkey controller saw them at its start, and could read
// all objects.
func (f *facts) taken(a *activity) {
	const lostRace = 50 * time.Millisecond
	if a.c.Name() != "signingkey" || a.item.Name != signingKey || a.faulted || a.crashed || a.asked == nil || a.result.RequeueAfter == lostRace {
		return
	}
	for _, kid := range a.asked {
		if k := f.key(kid); k.known[a.p] == 0 {
			k.known[a.p] = f.w.step
		}
	}
}

package simulation

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// facts is the true state, which processes may not know. The invariants are checked against it.
type facts struct {
	// goneByDelete is set if the last SigningKey was deleted with the policy Delete.
	goneByDelete bool
	w            *world
	ring         rotation.Keyring // the last readable one
	keys         map[string]*keyFacts
	namespaces   map[string]*namespaceFacts
	// shortest is the shortest interval, and wait the shortest waitForTargets, of all specs.
	shortest, wait time.Duration
	highest        int64     // the highest generation of a keyring
	scheduled      time.Time // time of the last scheduled rotation
	endings        []*ending // the Revocations of tokens by users
	editedSecret   bool      // another client wrote the signing-key Secret last
}

// keyFacts are the facts of one key.
type keyFacts struct {
	activated, stored bool
	// dead: a deletion ended its trust. foreign: a user added it to the Secret.
	dead, foreign bool
	// asked: a user revoked it. loose: the request was reset before it was recorded, and may be lost.
	asked, loose bool
	recorded     int64 // generation of the keyring that recorded the revocation
	// known is the step at which a process recorded the revocation.
	known map[*process]int
	// excused are the namespaces that may lack the key until they have held it for the lag.
	excused map[string]bool
	tokens  []*signed
}

// namespaceFacts are the facts of one namespace.
type namespaceFacts struct {
	held       map[string]time.Time // when its file got each key
	file       time.Time            // when it got a file with keys
	selected   bool
	selectedAt time.Time            // when it was selected or deselected
	unheard    bool                 // it was deselected before any controller saw that it was selected
	edited     bool                 // another client wrote its file last
	left       bool                 // left behind
	leftBy     *process             // the process that recorded that, since another leader does not know it
	taken      map[string]time.Time // when it got each key that was then removed
	damaged    int                  // number of the last change of ConfigMaps in which a user damaged its file, from 1
}

func newFacts(w *world) *facts {
	return &facts{w: w, keys: map[string]*keyFacts{}, namespaces: map[string]*namespaceFacts{}}
}

func (f *facts) key(kid string) *keyFacts {
	k := f.keys[kid]
	if k == nil {
		k = &keyFacts{known: map[*process]int{}, excused: map[string]bool{}}
		f.keys[kid] = k
	}
	return k
}

func (f *facts) namespace(name string) *namespaceFacts {
	n := f.namespaces[name]
	if n == nil {
		n = &namespaceFacts{held: map[string]time.Time{}, taken: map[string]time.Time{}}
		f.namespaces[name] = n
	}
	return n
}

func labelsOf(o client.Object) labels.Set { return o.GetLabels() }

// commit is called for every change of the store.
func (w *world) commit(c change) {
	f := w.facts
	if w.writer == nil && w.step > 0 && c.ref.kind != kindPod { // pods are nudged in parallel, in any order
		w.log("users: %s", describe(c))
		if c.ref.kind == kindSigningKey || c.ref.kind == kindSecret {
			w.disturbed = w.now
		}
	}
	switch c.ref.kind {
	case kindConfigMap:
		if c.ref.name == contract.JWKSConfigMap {
			f.fileChanged(c)
			w.pods.changed(c.ref)
		}
	case kindSecret:
		w.pods.changed(c.ref)
		f.loosen()
		w.sessions.loose = w.sessions.loose || w.writer == nil
		switch c.ref {
		case keyringRef:
			f.keyringChanged(c)
		case secretRef:
			f.secretChanged(c)
		}
	case kindSigningKey:
		f.signingKeyChanged(c)
		f.reselect()
	case kindRevocation:
		f.revocationChanged(c)
	case kindTrusted:
		w.foreign.trustedChanged(c)
	case kindFetched:
		w.foreign.fetchedChanged(c)
	case kindNamespace:
		f.reselect()
		w.foreign.namespaceChanged(c)
		if c.new == nil {
			delete(f.namespaces, c.ref.name)
		}
	case kindPod:
		if c.old != nil && c.new != nil {
			w.pods.changed(c.ref)
		}
	}
}

func describe(c change) string {
	switch {
	case c.old == nil:
		return "create " + c.ref.String()
	case c.new == nil:
		return "delete " + c.ref.String()
	case c.old.GetDeletionTimestamp() == nil && c.new.GetDeletionTimestamp() != nil:
		return "begin to delete " + c.ref.String()
	default:
		return "edit " + c.ref.String()
	}
}

// reselect updates which namespaces are selected. Without a SigningKey, nothing changes.
func (f *facts) reselect() {
	key := f.w.key()
	if key == nil {
		return
	}
	for _, ns := range f.w.store.list(kindNamespace, "") {
		n := f.namespace(ns.GetName())
		if is := selects(key, ns) && ns.GetDeletionTimestamp() == nil; is != n.selected {
			n.selected, n.selectedAt = is, f.w.now
			n.unheard = !is && deselectedIn(f.w.configMap(ns.GetName()))
		}
	}
}

func (f *facts) signingKeyChanged(c change) {
	key, _ := c.new.(*keywrightv1alpha1.SigningKey)
	if key == nil {
		f.w.log("SigningKey %s is gone", signingKey)
		if old, ok := c.old.(*keywrightv1alpha1.SigningKey); ok { // a user may have removed it again meanwhile
			f.goneByDelete = old.Spec.DeletionPolicy == keywrightv1alpha1.Delete
		}
		return
	}
	f.w.mustNotHoldPrivateJSON("the SigningKey", key.Status)
	f.w.sessions.loose = f.w.sessions.loose || key.DeletionTimestamp != nil
	if key.DeletionTimestamp != nil && key.Spec.DeletionPolicy == keywrightv1alpha1.Delete {
		for _, k := range f.keys {
			k.dead = true
		}
	}
	for _, kid := range key.Spec.RevokedKeyIDs {
		f.key(kid).asked, f.key(kid).loose = true, false
	}
	if old, ok := c.old.(*keywrightv1alpha1.SigningKey); ok {
		for _, kid := range old.Spec.RevokedKeyIDs {
			if !slices.Contains(key.Spec.RevokedKeyIDs, kid) && !f.durable(kid) {
				f.key(kid).loose = true
			}
		}
		for name, n := range f.namespaces {
			remembers := n.leftBy == nil || n.leftBy == f.w.writer || !slices.Contains(f.w.processes[:], n.leftBy)
			if f.w.writer != nil && remembers && !slices.Contains(key.Status.Targets.LeftBehind, name) {
				n.left = false
			}
		}
	}
	f.shortest = shorter(f.shortest, key.Spec.Rotation.Interval.Duration)
	wait := key.Spec.Rotation.WaitForTargets.Duration
	f.wait = shorter(f.wait, max(wait, 2*key.Spec.Distribution.PropagationDelay.Duration+key.Spec.Token.ClockSkew.Duration))
}

func shorter(a, b time.Duration) time.Duration {
	if a == 0 || b < a {
		return b
	}
	return a
}

// durable reports whether a revocation is recorded where a new process finds it.
func (f *facts) durable(kid string) bool {
	if slices.ContainsFunc(f.ring.Revoked, func(r rotation.Revocation) bool { return r.ID == kid }) && f.w.secret(keyringRef) != nil {
		return true
	}
	return slices.Contains(f.inSecretList(), kid)
}

// inSecretList returns the keys in the revocation list of the issuers.
func (f *facts) inSecretList() []string {
	s := f.w.secret(secretRef)
	if s == nil {
		return nil
	}
	list, err := issuerfiles.DecodeRevoked(s.Data[contract.RevokedFile])
	if err != nil {
		return nil
	}
	return list.KeyIDs
}

// keyringChanged checks a keyring that a controller wrote, and records its decisions.
func (f *facts) keyringChanged(c change) {
	s, _ := c.new.(*corev1.Secret)
	if s == nil {
		if f.w.writer != nil {
			f.ring = rotation.Keyring{}
		}
		return
	}
	ring, err := rotation.Decode(s.Data[contract.KeyringFile])
	if err != nil {
		if f.w.writer != nil {
			f.w.violate("invariants 4 and 5: the keyring: %v", err)
		}
		return
	}
	if f.w.writer != nil {
		f.activations(&ring)
	}
	f.w.sessions.keyringChanged(&f.ring, &ring)
	f.ring = ring
	f.highest = max(f.highest, ring.Generation)
	for i := range ring.Keys {
		f.key(ring.Keys[i].ID).stored = true
	}
	for i := range ring.Revoked {
		k := f.key(ring.Revoked[i].ID)
		k.loose = false
		if k.recorded == 0 && f.w.writer != nil {
			k.recorded, k.asked = ring.Generation, true
		}
	}
}

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

// facts are what is true, whatever the processes know of it. The invariants are asserted by them.
type facts struct {
	// goneByDelete is set if the last SigningKey went with the policy Delete.
	goneByDelete bool
	w            *world
	ring         rotation.Keyring // the last one that could be read
	keys         map[string]*keyFacts
	namespaces   map[string]*namespaceFacts
	// shortest is the shortest interval, and wait the shortest waitForTargets, that was ever asked for.
	shortest, wait time.Duration
	highest        int64     // the highest generation of a keyring
	scheduled      time.Time // the last scheduled rotation
	endings        []*ending // the Revocations of tokens that users made
	editedSecret   bool      // the signing-key Secret was written by somebody else last
}

// keyFacts are those of one key.
type keyFacts struct {
	activated, stored bool
	// dead: all trust was taken away by a deletion. foreign: somebody put it into the Secret by hand.
	dead, foreign bool
	// asked: a user revoked it. loose: the request was reset before it was recorded anywhere, and may be lost.
	asked, loose bool
	recorded     int64 // the keyring generation that recorded the revocation
	// known is the step from which on a process has taken the revocation up.
	known map[*process]int
	// excused are the namespaces that need not know the key until they have held it for the lag.
	excused map[string]bool
	tokens  []*signed
}

// namespaceFacts are those of one namespace.
type namespaceFacts struct {
	held       map[string]time.Time // since when its file holds each key
	file       time.Time            // since when it has a file that trusts somebody
	selected   bool
	selectedAt time.Time            // since when it is, or is not
	unheard    bool                 // it was deselected again before any controller had taken note that it was selected
	edited     bool                 // somebody else wrote its file last
	left       bool                 // left behind
	leftBy     *process             // who remembers it: another leader does not
	taken      map[string]time.Time // since when it held each key that somebody took away
	damaged    int                  // the number of the last change of ConfigMaps in which somebody damaged its file, from 1
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

// commit hears of every change of the store.
func (w *world) commit(c change) {
	f := w.facts
	if w.writer == nil && w.step > 0 && c.ref.kind != kindPod { // pods are touched in parallel, in any order
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

// reselect brings up to date which namespaces are selected. Without a SigningKey all stays as it was.
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
		if old, ok := c.old.(*keywrightv1alpha1.SigningKey); ok { // a user may have thought better of it meanwhile
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

// durable reports whether a revocation is on record where a process that starts would find it.
func (f *facts) durable(kid string) bool {
	if slices.ContainsFunc(f.ring.Revoked, func(r rotation.Revocation) bool { return r.ID == kid }) && f.w.secret(keyringRef) != nil {
		return true
	}
	return slices.Contains(f.inSecretList(), kid)
}

// inSecretList are the keys that the revocation list of the issuers names.
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

// keyringChanged checks the shape of a keyring that a controller wrote, and follows what it decided.
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

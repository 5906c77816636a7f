package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// users act at times that are set when the schedule begins, so that two runs of it differ only in the faults.
type users struct {
	w       *world
	rnd     *rand.Rand // for the current action
	plan    []deed
	due     time.Time // when the current action was due
	backups []*corev1.Secret
	spec    keywrightv1alpha1.SigningKeySpec // the spec that they want
	wanted  bool                             // whether they want the SigningKey to exist
	ends    time.Duration
	// rough users also break objects of the controller.
	rough bool
}

// deed is one action of a user.
type deed struct {
	at   time.Time
	name string
	do   func()
	seed uint64
}

func pick[T any](rnd *rand.Rand, of ...T) T { return of[rnd.IntN(len(of))] }

func seconds(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

func newUsers(w *world) *users {
	rnd := rand.New(rand.NewPCG(w.seed, 2))
	u := &users{w: w, rnd: rnd, wanted: true, rough: rnd.IntN(3) > 0}
	w.lag, w.skew = pick(rnd, time.Minute, time.Minute, 15*time.Minute), pick(rnd, time.Second, time.Minute)
	w.nudgePods = rnd.IntN(2) == 0
	u.spec = keywrightv1alpha1.SigningKeySpec{
		Algorithm: pick(rnd, keywrightv1alpha1.ES256, keywrightv1alpha1.ES256, keywrightv1alpha1.ES256, keywrightv1alpha1.EdDSA),
		Rotation: keywrightv1alpha1.Rotation{
			Mode: keywrightv1alpha1.Automatic, WaitForTargets: seconds(pick(rnd, time.Second, time.Hour, 24*time.Hour)),
		},
		Token: keywrightv1alpha1.Token{
			MaxLifetime: seconds(pick(rnd, time.Minute, 10*time.Minute, time.Hour)), ClockSkew: seconds(w.skew),
		},
		Distribution: keywrightv1alpha1.Distribution{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"verify": "yes"}}, PropagationDelay: seconds(w.lag),
		},
		DeletionPolicy: pick(rnd, keywrightv1alpha1.Retain, keywrightv1alpha1.Drain, keywrightv1alpha1.Delete),
	}
	if rnd.IntN(2) == 0 {
		u.spec.Sessions = &keywrightv1alpha1.Sessions{MaxRefreshLifetime: seconds(pick(rnd, time.Minute, time.Hour, 12*time.Hour)), MaxSessionLifetime: seconds(maxSession)}
	}
	u.spec.Rotation.Interval = seconds(u.least() + pick(rnd, 0, time.Second, time.Hour, 10*time.Hour))
	u.ends = 4*u.spec.Rotation.Interval.Duration + time.Hour
	deeds := u.deeds()
	plan := func(of []deed, n int) {
		for range n {
			d := of[rnd.IntN(len(of))]
			d.at, d.seed = w.now.Add(time.Duration(rnd.Int64N(int64(u.ends)))), rnd.Uint64()
			u.plan = append(u.plan, d)
		}
	}
	plan(deeds, 6+rnd.IntN(20))
	if foreign := u.foreignDeeds(); foreign != nil {
		plan(foreign, 4+rnd.IntN(12))
	}
	slices.SortStableFunc(u.plan, func(a, b deed) int { return a.at.Compare(b.at) })
	return u
}

// least returns the shortest interval that the API server accepts.
func (u *users) least() time.Duration {
	s := &u.spec
	return s.Distribution.PropagationDelay.Duration + s.Token.MaxLifetime.Duration + s.Token.ClockSkew.Duration
}

// begin creates the objects that exist when the first process starts.
func (u *users) begin() {
	u.makeNamespace(keyNamespace)
	for i := range 1 + u.rnd.IntN(3) {
		u.makeNamespace([]string{"ns0", "ns1", "ns2", "ns3"}[i])
	}
	for _, name := range []string{"issuer-0", "issuer-1"} {
		u.w.pods.add(keyNamespace, name, true)
	}
	u.makeKey()
}

func (u *users) makeNamespace(name string) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if u.rnd.IntN(4) > 0 && name != keyNamespace {
		ns.Labels = map[string]string{"verify": "yes"}
	}
	if _, err := u.w.store.create(ns); err == nil {
		u.w.pods.add(name, "service", false)
	}
}

func (u *users) makeKey() {
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: signingKey}, Spec: *u.spec.DeepCopy()}
	_, _ = u.w.store.create(key) // one that is being deleted still exists
	u.wanted = true
}

// next returns the next action.
func (u *users) next() (time.Time, func()) {
	if len(u.plan) == 0 {
		return time.Time{}, nil
	}
	return u.plan[0].at, func() {
		d := u.plan[0]
		u.plan, u.due = u.plan[1:], d.at
		u.rnd = rand.New(rand.NewPCG(d.seed, 3))
		u.w.log("users: %s", d.name)
		d.do()
	}
}

// edit changes the SigningKey, if it exists.
func (u *users) edit(change func(*keywrightv1alpha1.SigningKey)) {
	if key := u.w.key(); key != nil {
		next := key.DeepCopy()
		change(next)
		_, err := u.w.store.update(next, false)
		u.w.log("users: edit the SigningKey: %s", short(err))
	}
}

// deeds returns all actions of users.
func (u *users) deeds() []deed {
	all := []deed{
		{name: "reset the spec", do: u.reset},
		{name: "delete the SigningKey", do: u.deleteKey},
		{name: "delete a namespace", do: u.deleteNamespace},
		{name: "make a namespace", do: u.newNamespace},
		{name: "back up", do: u.backUp},
	}
	for range 3 {
		all = append(all, []deed{
			{name: "edit the spec", do: u.editSpec},
			{name: "edit the spec", do: u.editSpec},
			{name: "change maxLifetime", do: u.editLifetime},
			{name: "request a rotation", do: u.requestRotation},
			{name: "revoke", do: u.revoke},
			{name: "end tokens", do: u.endTokens},
			{name: "delete a Revocation", do: u.deleteRevocation},
			{name: "label", do: u.label},
			{name: "make the SigningKey", do: u.remake},
			{name: "repair", do: u.repair},
			{name: "repair", do: u.repair},
		}...)
	}
	if u.rough {
		all = append(all, u.roughDeeds()...)
	}
	return all
}

func (u *users) editSpec() {
	s, rnd := &u.spec, u.rnd
	switch rnd.IntN(10) {
	case 9:
		if s.Sessions != nil {
			s.Sessions.MaxRefreshLifetime = seconds(pick(rnd, time.Minute, time.Hour, 12*time.Hour))
		}
	case 0:
		if s.Algorithm != keywrightv1alpha1.EdDSA {
			s.Algorithm = pick(rnd, keywrightv1alpha1.ES256, keywrightv1alpha1.ES256, keywrightv1alpha1.ES384)
		}
	case 1, 2:
		s.Token.MaxLifetime = seconds(pick(rnd, time.Minute, 10*time.Minute, time.Hour, 3*time.Hour))
	case 3:
		s.Rotation.Interval = seconds(u.least() + pick(rnd, 0, time.Minute, time.Hour, 5*time.Hour))
	case 4:
		s.Rotation.Mode = pick(rnd, keywrightv1alpha1.Automatic, keywrightv1alpha1.Manual)
	case 5:
		s.Rotation.WaitForTargets = seconds(pick(rnd, time.Second, time.Hour, 24*time.Hour))
	case 6:
		s.Distribution.PropagationDelay = seconds(u.w.lag + pick(rnd, 0, 0, 10*time.Minute))
		s.Token.ClockSkew = seconds(u.w.skew + pick(rnd, 0, 0, time.Minute))
	case 7:
		s.Distribution.NamespaceSelector = pick(rnd, &metav1.LabelSelector{MatchLabels: map[string]string{"verify": "yes"}},
			&metav1.LabelSelector{MatchLabels: map[string]string{}},
			&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "verify", Operator: metav1.LabelSelectorOpDoesNotExist}}})
	case 8:
		s.DeletionPolicy = pick(rnd, keywrightv1alpha1.Retain, keywrightv1alpha1.Drain, keywrightv1alpha1.Delete)
	}
	s.Rotation.Interval = seconds(max(s.Rotation.Interval.Duration, u.least()))
	u.apply()
}

// editLifetime changes the lifetime of tokens.
func (u *users) editLifetime() {
	s := &u.spec
	s.Token.MaxLifetime = seconds(pick(u.rnd, time.Second, time.Minute, time.Hour, 3*time.Hour))
	s.Rotation.Interval = seconds(max(s.Rotation.Interval.Duration, u.least()))
	u.apply()
}

// repair carries out the repair of what only an admin can end, unless it begins with a deletion.
func (u *users) repair() {
	switch reason := u.w.stalled(); reason {
	case keywrightv1alpha1.ReasonKeyringRestored, keywrightv1alpha1.ReasonKeyringInvalid:
		if u.w.secret(keyringRef) != nil && u.w.rebuildable() {
			u.w.resolve(reason)
		}
	case keywrightv1alpha1.ReasonWriteRefused:
		for _, r := range []ref{keyringRef, secretRef} {
			if s := u.w.secret(r); s != nil && isTrue(s.Immutable) {
				u.w.resolve(reason)
				return
			}
		}
	}
}

// apply applies the spec of the users, as kubectl apply does.
func (u *users) apply() {
	u.edit(func(k *keywrightv1alpha1.SigningKey) {
		want := *u.spec.DeepCopy()
		if typeOf(want.Algorithm) != typeOf(k.Spec.Algorithm) {
			want.Algorithm = k.Spec.Algorithm // refused by a rule of the CRD
		}
		k.Spec = want
	})
}

func typeOf(a keywrightv1alpha1.Algorithm) string { return string(a[:2]) }

func (u *users) requestRotation() {
	u.edit(func(k *keywrightv1alpha1.SigningKey) {
		if k.Annotations == nil {
			k.Annotations = map[string]string{}
		}
		k.Annotations[contract.RotateAnnotation] = u.w.now.Format(time.RFC3339)
	})
}

// revoke revokes keys of one state, or an unknown one.
func (u *users) revoke() {
	kids := slices.Clone(u.spec.RevokedKeyIDs)
	ring := &u.w.facts.ring
	state := pick(u.rnd, "Standby", "Active", "Active", "Retired", "all", "unknown")
	if state == "unknown" {
		kids = append(kids, "unknown0000000000000000000000000000000000000")
	}
	for i := range ring.Keys {
		if k := &ring.Keys[i]; k.Published() && (state == "all" || string(k.State) == state) {
			kids = append(kids, k.ID)
		}
	}
	slices.Sort(kids)
	u.spec.RevokedKeyIDs = slices.Compact(kids)
	u.w.log("users: revoke %s: %v", state, u.spec.RevokedKeyIDs)
	u.apply()
}

// reset is a GitOps tool that restores the spec in Git, which has no revocations.
func (u *users) reset() {
	u.spec.RevokedKeyIDs = nil
	finalizers := u.rnd.IntN(3) > 0
	u.edit(func(k *keywrightv1alpha1.SigningKey) {
		want := *u.spec.DeepCopy()
		want.Algorithm = k.Spec.Algorithm
		k.Spec, k.Annotations = want, nil
		if !finalizers && k.DeletionTimestamp == nil {
			k.Finalizers = nil // kubectl replace
		}
	})
}

func (u *users) deleteKey() {
	u.wanted = false
	_ = u.w.store.delete(keyRef, nil)
}

// remake creates the SigningKey again, perhaps with another key type.
func (u *users) remake() {
	if u.w.key() == nil && u.rnd.IntN(4) == 0 {
		u.spec.Algorithm = pick(u.rnd, keywrightv1alpha1.ES256, keywrightv1alpha1.EdDSA)
	}
	u.makeKey()
}

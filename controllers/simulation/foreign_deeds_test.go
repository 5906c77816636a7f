package simulation

import (
	"fmt"
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/desired"
)

// foreignDeeds are the actions of users and others on other issuers.
func (u *users) foreignDeeds() []deed {
	f := u.w.foreign
	if f == nil {
		return nil
	}
	some := func() *otherIssuer { return f.issuers[pick(u.rnd, "berlin", "berlin", "okta", signingKey)] }
	return []deed{
		{name: "make a TrustedIssuer", do: func() { u.makeTrusted(some()) }},
		{name: "make a TrustedIssuer", do: func() { u.makeTrusted(some()) }},
		{name: "delete a TrustedIssuer", do: func() { _ = u.w.store.delete(ref{kindTrusted, "", some().name}, nil) }},
		{name: "rotate at another issuer", do: func() { u.rotateElsewhere(some()) }},
		{name: "fetch", do: u.fetch},
		{name: "fetch", do: u.fetch},
		{name: "fetch from liars", do: u.fetchLies},
		{name: "fetch from liars", do: u.fetchLies},
		{name: "break into the fetcher", do: u.breakIn},
		{name: "delete what was fetched", do: func() { _ = u.w.store.delete(fetchedRef, nil) }},
	}
}

func (u *users) makeTrusted(o *otherIssuer) {
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: o.name}}
	source := keywrightv1alpha1.KeySource{URL: bazaar.server.URL + o.path, CABundle: bazaar.ca}
	if u.rnd.IntN(5) == 0 {
		source = keywrightv1alpha1.KeySource{Inline: o.set()}
	}
	ti.Spec = trustedSpec("https://"+o.name+".example.com", source, &metav1.LabelSelector{MatchLabels: map[string]string{"verify": "yes"}})
	ti.Spec.Distribution.GatewayEntry = u.rnd.IntN(2) == 0
	_, _ = u.w.store.create(ti)
	if u.rnd.IntN(2) == 0 { // otherwise the entry of an earlier object of this name may still exist
		u.fetch()
	}
}

// rotateElsewhere gives an issuer new keys. Some issuers withdraw the old ones without an overlap.
func (u *users) rotateElsewhere(o *otherIssuer) {
	u.w.foreign.rotate(o, 1+u.rnd.IntN(2))
	o.keys = o.keys[:1+u.rnd.IntN(min(4, len(o.keys)))]
	u.fetch()
}

func (u *users) fetch() {
	for _, name := range otherNames() {
		u.w.foreign.says(u.w.foreign.issuers[name], 0)
	}
	u.w.foreign.fetch()
}

func (u *users) fetchLies() {
	for _, name := range otherNames() {
		how := u.rnd.IntN(12)
		u.w.log("%s answers in way %d", name, how)
		u.w.foreign.says(u.w.foreign.issuers[name], how)
	}
	u.w.foreign.fetch()
}

// breakIn is an attacker who controls the fetcher, and writes what its permissions allow.
func (u *users) breakIn() {
	f := u.w.foreign
	stray, err := material("ES256", fmt.Sprintf("foreign stray %d", u.rnd.IntN(5)))
	must(err)
	f.made[stray.ID] = true
	data := map[string]string{}
	for _, name := range append(otherNames(), "nobody") {
		e := fetched.Entry{UID: "uid", Revision: pick(u.rnd, 0, 1, u.w.now.Unix()+1, math.MaxInt64, math.MinInt64), FetchedAt: u.w.now.Add(time.Hour)}
		if ti, ok := u.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer); ok {
			e.UID = string(ti.UID)
			e.Source, _ = desired.SourceOf(&ti.Spec)
		}
		switch u.rnd.IntN(6) {
		case 0:
			e.KeySet = []byte(setOf(f.ours()...))
		case 1:
			e.KeySet = []byte(setOf(stray.Private))
		case 2:
			e.KeySet = []byte(`{"keys":[]}`)
		default:
			e.KeySet = []byte(setOf(append(f.ours(), stray.Public)...))
		}
		text, err := e.Encode()
		must(err)
		data[name+fetched.Suffix] = text
		if u.rnd.IntN(6) == 0 {
			data[name+fetched.Suffix] = "garbled"
		}
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: contract.FetchedConfigMap}}
	if stands, ok := u.w.store.objects[fetchedRef].(*corev1.ConfigMap); ok {
		cm = stands.DeepCopy()
		cm.Data = data
		_, _ = u.w.store.update(cm, false)
		return
	}
	cm.Data = data
	_, _ = u.w.store.create(cm)
}

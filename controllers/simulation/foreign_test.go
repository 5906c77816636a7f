package simulation

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/fetched"
	"github.com/keywright/keywright/api/issuerfiles"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/handover"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/rotation"
)

// foreign are the other issuers of a schedule, and the fetcher that reads their keys: the product's own, which asks a real server.
type foreign struct {
	w       *world
	issuers map[string]*otherIssuer
	// made has the thumbprint of every key that another issuer ever had.
	made map[string]bool
	// prints are the thumbprints of the keys of a set, by its text.
	prints map[string][]string
	// labelled is when the label of a namespace last changed, or the namespace came.
	labelled map[string]time.Time
}

// otherIssuer is one issuer outside, by the name that its TrustedIssuer has or would have.
type otherIssuer struct {
	name, path string
	keys       []rotation.Material
	// offered has the thumbprint of every key that the fetcher, or somebody in its place, ever handed over for the TrustedIssuer that stands.
	offered map[string]bool
	// entombed: a tombstone was handed over, or the TrustedIssuer was deleted: nobody need be trusted.
	entombed bool
}

// bazaar is the server of all other issuers of all schedules: what it answers, by path.
var bazaar = struct {
	once    sync.Once
	server  *httptest.Server
	ca      string
	answers sync.Map
	paths   atomic.Int64
}{}

type answer struct {
	status int
	body   string
}

func openBazaar() {
	bazaar.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _ := bazaar.answers.Load(r.URL.Path)
		said, ok := a.(answer)
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.WriteHeader(said.status)
		_, _ = w.Write([]byte(said.body))
	}))
	bazaar.ca = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: bazaar.server.Certificate().Raw}))
}

// otherNames are those of the TrustedIssuers that users make. The last one is that of the SigningKey.
func otherNames() []string { return []string{"berlin", "okta", signingKey} }

// newForeign gives every other schedule other issuers.
func newForeign(w *world) *foreign {
	if rand.New(rand.NewPCG(w.seed, 5)).IntN(2) == 0 {
		return nil
	}
	bazaar.once.Do(openBazaar)
	f := &foreign{w: w, issuers: map[string]*otherIssuer{}, made: map[string]bool{}, prints: map[string][]string{}, labelled: map[string]time.Time{}}
	for _, name := range otherNames() {
		o := &otherIssuer{name: name, path: fmt.Sprintf("/%d", bazaar.paths.Add(1)), offered: map[string]bool{}}
		f.issuers[name] = o
		f.rotate(o, 2)
	}
	return f
}

func (f *foreign) close() {
	if f == nil {
		return
	}
	for _, o := range f.issuers {
		bazaar.answers.Delete(o.path)
	}
}

// rotate lets an issuer have new keys, before those that it keeps.
func (f *foreign) rotate(o *otherIssuer, n int) {
	for range n {
		m, err := material("ES256", fmt.Sprintf("foreign %d", (f.w.seed*31+uint64(len(f.made)))%poolSize))
		must(err)
		f.made[m.ID] = true
		o.keys = append([]rotation.Material{m}, o.keys...)
	}
}

func setOf(keys ...[]byte) string {
	raw := []json.RawMessage{}
	for _, k := range keys {
		raw = append(raw, k)
	}
	b, err := json.Marshal(map[string]any{"keys": raw})
	must(err)
	return string(b)
}

func (o *otherIssuer) set(more ...[]byte) string {
	for _, k := range o.keys {
		more = append(more, k.Public)
	}
	return setOf(more...)
}

// says makes an issuer answer rightly, or in one of the ways in which issuers fail and lie.
func (f *foreign) says(o *otherIssuer, how int) {
	a := answer{http.StatusOK, o.set()}
	switch how {
	case 1:
		a = answer{http.StatusInternalServerError, a.body}
	case 2:
		a.body = "<html>the login page</html>"
	case 3:
		a.body = setOf()
	case 4: // a private key among the public ones
		stray, err := material("ES256", "stray")
		must(err)
		a.body = o.set(stray.Private)
	case 5: // a key of the SigningKey
		a.body = o.set(f.ours()...)
	case 6: // nothing but keys of the SigningKey
		a.body = setOf(f.ours()...)
	case 7: // another key with the kid of one of its own
		a.body = o.set(renamed(o.keys[0].Public, o.keys[len(o.keys)-1].ID))
	case 8:
		a.body += strings.Repeat(" ", 2<<20)
	case 9:
		a.body = o.set([]byte(`{"kty":"PQ","kid":"later"}`), []byte(`{"kty":"oct","kid":"shared","k":"c2VjcmV0"}`))
	case 10: // a key of its own with the kid of one of the SigningKey
		if ours := f.w.facts.ring.PublishedIDs(); len(ours) > 0 {
			a.body = setOf(renamed(o.keys[0].Public, ours[0]))
		}
	case 11:
		a.body = string(issuerfiles.Tombstone("ES256"))
	}
	bazaar.answers.Store(o.path, a)
}

// ours are the public keys of the SigningKey.
func (f *foreign) ours() [][]byte {
	var all [][]byte
	for _, k := range f.w.facts.ring.PublishedKeys() {
		all = append(all, k.Public)
	}
	return all
}

func renamed(jwk []byte, kid string) []byte {
	var members map[string]any
	must(json.Unmarshal(jwk, &members))
	members["kid"] = kid
	b, err := json.Marshal(members)
	must(err)
	return b
}

func trustedSpec(issuer string, keys keywrightv1alpha1.KeySource, selector *metav1.LabelSelector) keywrightv1alpha1.TrustedIssuerSpec {
	return keywrightv1alpha1.TrustedIssuerSpec{
		Issuer: issuer, Keys: keys, RefreshInterval: seconds(5 * time.Minute), MaxStaleness: seconds(24 * time.Hour), Withdrawn: keywrightv1alpha1.Nudge,
		Distribution: keywrightv1alpha1.TrustedIssuerDistribution{NamespaceSelector: selector},
	}
}

// foreignDeeds are what users and others do with other issuers.
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

var fetchedRef = ref{kindFetched, keyNamespace, contract.FetchedConfigMap}

func (u *users) makeTrusted(o *otherIssuer) {
	ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: o.name}}
	source := keywrightv1alpha1.KeySource{URL: bazaar.server.URL + o.path, CABundle: bazaar.ca}
	if u.rnd.IntN(5) == 0 {
		source = keywrightv1alpha1.KeySource{Inline: o.set()}
	}
	ti.Spec = trustedSpec("https://"+o.name+".example.com", source, &metav1.LabelSelector{MatchLabels: map[string]string{"verify": "yes"}})
	ti.Spec.Distribution.GatewayEntry = u.rnd.IntN(2) == 0
	_, _ = u.w.store.create(ti)
	if u.rnd.IntN(2) == 0 { // else what was handed over for another object of its name may still be there
		u.fetch()
	}
}

// rotateElsewhere gives an issuer new keys. Some withdraw the old ones without an overlap.
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

// fetch lets a fetcher that has just started read all issuers.
func (f *foreign) fetch() {
	c := &direct{w: f.w}
	h := &handover.Handover{Client: c, KeyNamespace: keyNamespace}
	r := handover.Reconciler{Client: c, Cluster: nil, Handover: h, Now: func() time.Time { return f.w.now }, Metrics: handover.NewMetrics(prometheus.NewRegistry())}
	for _, name := range otherNames() {
		_, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: types.NamespacedName{Name: name}})
		f.w.log("the fetcher reads %s: %s", name, short(err))
	}
}

// breakIn is somebody who has taken over the fetcher, and writes what its rights allow.
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

// direct is the client of the fetcher, which sees everything at once.
type direct struct {
	client.Client // nil: what is not implemented is not used
	w             *world
}

func (d *direct) Get(_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	o, err := d.w.store.get(refFor(into, key))
	if err == nil {
		copyInto(o, into)
	}
	return err
}

func (d *direct) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	fill(list, d.w.store.list(kindOfList(list), ""))
	return nil
}

func (d *direct) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	_, err := d.w.store.update(o, false)
	return err
}

func (d *direct) Apply(_ context.Context, apply runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	var o client.ApplyOptions
	o.ApplyOptions(opts)
	b, err := json.Marshal(apply)
	must(err)
	var cm corev1.ConfigMap
	must(json.Unmarshal(b, &cm))
	_, err = d.w.store.apply(&cm, o.FieldManager)
	return err
}

// thumbprints are those of the keys of a set (RFC 7638), whatever their kids are.
func (f *foreign) thumbprints(set string) []string {
	if known, ok := f.prints[set]; ok {
		return known
	}
	var keys struct {
		Keys []json.RawMessage `json:"keys"`
	}
	_ = json.Unmarshal([]byte(set), &keys)
	var all []string
	for _, raw := range keys.Keys {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil {
			continue
		}
		digest, err := k.Thumbprint(crypto.SHA256)
		must(err)
		all = append(all, base64.RawURLEncoding.EncodeToString(digest))
	}
	f.prints[set] = all
	return all
}

// trustedChanged follows a TrustedIssuer.
func (f *foreign) trustedChanged(c change) {
	o := f.issuers[c.ref.name]
	if c.new == nil {
		o.entombed = true
		return
	}
	ti := c.new.(*keywrightv1alpha1.TrustedIssuer)
	f.w.mustNotHoldPrivateJSON("a TrustedIssuer", ti.Status)
	if c.old == nil {
		o.entombed, o.offered = false, map[string]bool{}
		f.offer(o, ti.Spec.Keys.Inline)
	}
}

func (f *foreign) offer(o *otherIssuer, set string) {
	for _, p := range f.thumbprints(set) {
		o.offered[p] = true
	}
	o.entombed = o.entombed || strings.Contains(set, "tombstone") || issuerfiles.TrustsNobody(set)
}

// namespaceChanged follows which namespaces are selected.
func (f *foreign) namespaceChanged(c change) {
	switch {
	case f == nil:
	case c.new == nil:
		delete(f.labelled, c.ref.name)
	case c.old == nil || c.old.GetLabels()["verify"] != c.new.GetLabels()["verify"]:
		f.labelled[c.ref.name] = f.w.now
	}
}

// fetchedChanged follows what the fetcher, or somebody in its place, hands over.
func (f *foreign) fetchedChanged(c change) {
	cm, ok := c.new.(*corev1.ConfigMap)
	if !ok {
		return
	}
	for _, name := range otherNames() {
		e, err := fetched.Decode(cm.Data[name+fetched.Suffix])
		ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
		if err == nil && stands && e.UID == string(ti.UID) {
			f.offer(f.issuers[name], string(e.KeySet))
		}
	}
}

// checkFiles asserts about a ConfigMap that a controller wrote that no key is in the file of another issuer, and that what was trusted is not lost.
func (f *foreign) checkFiles(namespace string, old, cm *corev1.ConfigMap) {
	before := map[string]string{}
	if old != nil {
		before = old.Data
	}
	if gateway, has := cm.Data[contract.GatewayFile]; has && !issuerfiles.TrustsNobody(gateway) {
		same := false
		for file, content := range cm.Data {
			same = same || file != contract.GatewayFile && content == gateway
		}
		if !same {
			f.w.violate("the gateway entry of %s is no file", namespace)
		}
	}
	for file, content := range cm.Data {
		name, ok := strings.CutSuffix(file, contract.JWKSSuffix)
		if !ok || content == before[file] || issuerfiles.TrustsNobody(content) {
			continue
		}
		if name == signingKey && f.signingKeyHasName() {
			for _, p := range f.thumbprints(content) {
				if f.made[p] {
					f.w.violate("invariant 11: a key of another issuer, %s, is in the file of the SigningKey in %s", p, namespace)
				}
			}
		}
		o, is := f.issuers[name]
		if !is || name == signingKey {
			continue
		}
		for _, p := range f.thumbprints(content) {
			if !o.offered[p] {
				f.w.violate("invariant 11: nobody handed %s over for %s, which has it in %s", p, name, namespace)
			}
			if f.isOurs(p) {
				f.w.violate("invariant 11: %s, a key of the SigningKey, is in the file of %s in %s", p, name, namespace)
			}
		}
	}
	for _, name := range otherNames()[:2] {
		f.checkTrust(namespace, name, before[name+contract.JWKSSuffix], cm)
	}
}

// signingKeyHasName reports whether a SigningKey has stood for longer than any process needs to see it, so that no TrustedIssuer can have the name.
func (f *foreign) signingKeyHasName() bool {
	key := f.w.key()
	return key != nil && f.w.now.After(key.CreationTimestamp.Add(f.w.lag)) || f.w.secret(keyringRef) != nil && f.w.secret(secretRef) != nil
}

// isOurs reports whether a key is published or revoked by the SigningKey.
func (f *foreign) isOurs(thumbprint string) bool {
	ring := &f.w.facts.ring
	return slices.Contains(ring.PublishedIDs(), thumbprint) || slices.ContainsFunc(ring.Revoked, func(r rotation.Revocation) bool { return r.ID == thumbprint })
}

// checkTrust asserts that a TrustedIssuer that stands loses no file.
func (f *foreign) checkTrust(namespace, name, before string, cm *corev1.ConfigMap) {
	ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
	ns := f.w.store.objects[ref{kindNamespace, "", namespace}]
	if !stands || ns == nil || f.issuers[name].entombed || before == "" || issuerfiles.TrustsNobody(before) || !f.offeredAll(name, before) {
		return
	}
	long := f.w.now.Add(-f.w.lag)
	if ns.GetLabels()["verify"] != "yes" || !f.labelled[namespace].Before(long) || !ti.CreationTimestamp.Time.Before(long) {
		return
	}
	if content := cm.Data[name+contract.JWKSSuffix]; content == "" || issuerfiles.TrustsNobody(content) {
		f.w.violate("a controller takes the trust in %s away in %s, which stands and is selected", name, namespace)
	}
}

// offeredAll reports whether a file has nothing but keys that were handed over: others were planted.
func (f *foreign) offeredAll(name, content string) bool {
	return !slices.ContainsFunc(f.thumbprints(content), func(p string) bool { return !f.issuers[name].offered[p] })
}

// calm lets every issuer answer rightly, and the fetcher read it.
func (f *foreign) calm() {
	if f == nil {
		return
	}
	for _, name := range otherNames() {
		f.says(f.issuers[name], 0)
	}
	f.fetch()
}

// checkSettled asserts that every namespace trusts the keys that each issuer has now, and nobody else's.
func (f *foreign) checkSettled() {
	if f == nil || f.w.wrong != "" {
		return
	}
	for _, name := range otherNames()[:2] {
		o := f.issuers[name]
		ti, stands := f.w.store.objects[ref{kindTrusted, "", name}].(*keywrightv1alpha1.TrustedIssuer)
		want := []string{}
		switch {
		case stands && ti.Spec.Keys.Inline != "":
			want = append(want, f.thumbprints(ti.Spec.Keys.Inline)...)
		case stands:
			want = append(want, f.thumbprints(o.set())...)
		}
		slices.Sort(want)
		for _, ns := range f.w.store.list(kindNamespace, "") {
			cm := f.w.configMap(ns.GetName())
			selected := ns.GetLabels()["verify"] == "yes"
			if ns.GetDeletionTimestamp() != nil || stands && !selected || !stands && cm == nil {
				continue
			}
			content := ""
			if cm != nil {
				content = cm.Data[name+contract.JWKSSuffix]
			}
			got := []string{}
			if !issuerfiles.TrustsNobody(content) {
				got = append(got, f.thumbprints(content)...)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				f.w.violate("at rest %s holds %v of %s, which has %v", ns.GetName(), got, name, want)
			}
		}
		if stands {
			c := conditionOf(ti, keywrightv1alpha1.ConditionReady)
			if c == nil || c.Status != metav1.ConditionTrue || c.ObservedGeneration != ti.Generation {
				f.w.violate("at rest TrustedIssuer %s is %+v", name, c)
			}
		}
	}
}

func conditionOf(ti *keywrightv1alpha1.TrustedIssuer, kind string) *metav1.Condition {
	for i := range ti.Status.Conditions {
		if ti.Status.Conditions[i].Type == kind {
			return &ti.Status.Conditions[i]
		}
	}
	return nil
}

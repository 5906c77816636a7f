package simulation

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/fetcher/handover"
	"github.com/keywright/keywright/controllers/rotation"
)

// foreign has the other issuers of a schedule, and the product's fetcher, which reads their keys from a real server.
type foreign struct {
	w       *world
	issuers map[string]*otherIssuer
	// made has the thumbprints of all keys of other issuers.
	made map[string]bool
	// prints has the thumbprints of the keys of a set, by its text.
	prints map[string][]string
	// labelled is when the label of a namespace last changed, or the namespace was created.
	labelled map[string]time.Time
}

// otherIssuer is one other issuer, by the name of its TrustedIssuer.
type otherIssuer struct {
	name, path string
	keys       []rotation.Material
	// offered has the thumbprints of all keys that were ever fetched for the existing TrustedIssuer, or written by an
	// attacker.
	offered map[string]bool
	// entombed: a tombstone was fetched, or the TrustedIssuer was deleted, so trust may have ended.
	entombed bool
}

// bazaar is the server of all other issuers of all schedules, with its responses by path.
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

// otherNames are the names of the TrustedIssuers of users. The last one is that of the SigningKey.
func otherNames() []string { return []string{"berlin", "okta", signingKey} }

// newForeign returns other issuers for every second schedule.
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

// rotate gives an issuer new keys, before the ones that it keeps.
func (f *foreign) rotate(o *otherIssuer, n int) {
	for range n {
		m, err := material("ES256", fmt.Sprintf("foreign %d", (f.w.seed*31+uint64(len(f.made)))%poolSize))
		must(err)
		f.made[m.ID] = true
		o.keys = append([]rotation.Material{m}, o.keys...)
	}
}

func trustedSpec(issuer string, keys keywrightv1alpha1.KeySource, selector *metav1.LabelSelector) keywrightv1alpha1.TrustedIssuerSpec {
	return keywrightv1alpha1.TrustedIssuerSpec{
		Issuer: issuer, Keys: keys, RefreshInterval: seconds(5 * time.Minute), MaxStaleness: seconds(24 * time.Hour), Withdrawn: keywrightv1alpha1.Nudge,
		Distribution: keywrightv1alpha1.TrustedIssuerDistribution{NamespaceSelector: selector},
	}
}

var fetchedRef = ref{kindFetched, keyNamespace, contract.FetchedConfigMap}

// fetch makes a new fetcher read all issuers.
func (f *foreign) fetch() {
	c := &direct{w: f.w}
	h := &handover.Handover{Client: c, KeyNamespace: keyNamespace}
	r := handover.Reconciler{Client: c, Cluster: nil, Handover: h, Now: func() time.Time { return f.w.now }, Metrics: handover.NewMetrics(prometheus.NewRegistry())}
	for _, name := range otherNames() {
		_, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: types.NamespacedName{Name: name}})
		f.w.log("the fetcher reads %s: %s", name, short(err))
	}
}

// direct is the client of the fetcher. It has no lag.
type direct struct {
	client.Client // nil, since other methods are not used
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

// calm makes every issuer respond correctly, and the fetcher read it.
func (f *foreign) calm() {
	if f == nil {
		return
	}
	for _, name := range otherNames() {
		f.says(f.issuers[name], 0)
	}
	f.fetch()
}

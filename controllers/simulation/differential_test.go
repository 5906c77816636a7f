package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

// TestStoreBehavesLikeTheAPIServer applies the same random operations to the store and to a real API server, and compares
// the kind of error and the stored object after each.
func TestStoreBehavesLikeTheAPIServer(t *testing.T) {
	scheme := runtime.NewScheme()
	must(clientgoscheme.AddToScheme(scheme))
	must(keywrightv1alpha1.AddToScheme(scheme))
	environment := envtest.Environment{Scheme: scheme, BinaryAssetsDirectory: controlplanetest.Directory(t)}
	environment.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = environment.Stop() })
	config.QPS = -1
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(6) {
		newPair(t, api, seed+1).run(120)
	}
}

// pair is the store and the real API server, with the objects in each.
type pair struct {
	t    *testing.T
	rnd  *rand.Rand
	api  client.Client
	mem  *store
	ns   string
	name string
	old  map[ref][2]client.Object
}

func newPair(t *testing.T, api client.Client, seed uint64) *pair {
	p := &pair{
		t: t, rnd: rand.New(rand.NewPCG(seed, seed)), api: api, mem: newStore(time.Now), ns: fmt.Sprintf("pair-%d", seed),
		name: fmt.Sprintf("pair-%d", seed), old: map[ref][2]client.Object{},
	}
	p.both("create the namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.ns}}, func(o client.Object) error {
		return api.Create(context.Background(), o)
	}, func(o client.Object) error { _, err := p.mem.create(o); return err })
	return p
}

func (p *pair) refs() []ref {
	return []ref{
		{kindSecret, p.ns, "s"}, {kindConfigMap, p.ns, "c"}, {kindConfigMap, p.ns, "c"}, {kindSigningKey, "", p.name}, {kindTrusted, "", p.name},
	}
}

// run applies random operations. In the last quarter, the namespace is Terminating.
func (p *pair) run(n int) {
	for i := range n {
		if i == n*3/4 {
			r := ref{kindNamespace, "", p.ns}
			p.compare("delete the namespace", r, p.api.Delete(context.Background(), p.withName(r)), p.mem.delete(r, nil))
		}
		p.operate(p.refs()[p.rnd.IntN(len(p.refs()))])
		if p.t.Failed() {
			return
		}
	}
}

func (p *pair) withName(r ref) client.Object {
	o := emptyOf(r.kind)
	o.SetNamespace(r.namespace)
	o.SetName(r.name)
	return o
}

// fresh returns an object with random content.
func (p *pair) fresh(r ref) client.Object {
	o := p.withName(r)
	p.vary(o)
	return o
}

func (p *pair) vary(o client.Object) {
	value := fmt.Sprint(p.rnd.IntN(3))
	switch o := o.(type) {
	case *corev1.Secret:
		o.Data = map[string][]byte{"k": []byte(value)}
		if p.rnd.IntN(4) == 0 {
			o.Immutable = new(true)
		}
	case *corev1.ConfigMap:
		o.Data = map[string]string{"k": value}
		if p.rnd.IntN(8) == 0 {
			o.Immutable = new(true)
		}
	case *keywrightv1alpha1.SigningKey:
		o.Spec = keywrightv1alpha1.SigningKeySpec{
			Algorithm: keywrightv1alpha1.ES256, DeletionPolicy: keywrightv1alpha1.Retain,
			Rotation: keywrightv1alpha1.Rotation{
				Mode: keywrightv1alpha1.Automatic, Interval: seconds(time.Hour + time.Duration(p.rnd.IntN(3))*time.Minute), WaitForTargets: seconds(time.Hour),
			},
			Token: keywrightv1alpha1.Token{MaxLifetime: seconds(time.Minute), ClockSkew: seconds(time.Minute)},
			Distribution: keywrightv1alpha1.Distribution{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, PropagationDelay: seconds(time.Minute),
			},
		}
	}
	if ti, ok := o.(*keywrightv1alpha1.TrustedIssuer); ok {
		ti.Spec = trustedSpec("https://issuer.test", keywrightv1alpha1.KeySource{URL: "https://issuer.test/" + value}, &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}})
	}
	switch p.rnd.IntN(4) {
	case 0:
		o.SetLabels(map[string]string{"l": value})
	case 1:
		o.SetLabels(map[string]string{})
	}
	if p.rnd.IntN(4) == 0 {
		o.SetFinalizers([]string{"keywright.dev/a"})
	} else {
		o.SetFinalizers(nil)
	}
}

func (p *pair) operate(r ref) {
	ctx := context.Background()
	inAPI, mem := p.standing(r)
	switch k := p.rnd.IntN(9); {
	case k == 0 || inAPI == nil && k < 4:
		p.both("create "+r.String(), p.fresh(r), func(o client.Object) error { return p.api.Create(ctx, o) },
			func(o client.Object) error { _, err := p.mem.create(o); return err })
	case k == 1:
		pre := &metav1.Preconditions{}
		opts := []client.DeleteOption{}
		if p.rnd.IntN(2) == 0 {
			uid := types.UID("other")
			pre.UID = &uid
			opts = append(opts, client.Preconditions(*pre))
		}
		p.compare("delete "+r.String(), r, p.api.Delete(ctx, p.withName(r), opts...), p.mem.delete(r, pre))
	case k == 2 && r.kind == kindConfigMap:
		p.apply(r)
	case inAPI == nil:
	case k == 3:
		p.patch(r, inAPI, mem)
	case k == 4 && r.kind == kindSigningKey:
		a, b := inAPI.(*keywrightv1alpha1.SigningKey), mem.(*keywrightv1alpha1.SigningKey)
		a.Status.KeyringGeneration = int64(p.rnd.IntN(3))
		b.Status.KeyringGeneration = a.Status.KeyringGeneration
		_, err := p.mem.update(b, true)
		p.compare("update the status of "+r.String(), r, p.api.Status().Update(ctx, a), err)
	case k == 4 && r.kind == kindTrusted:
		a, b := inAPI.(*keywrightv1alpha1.TrustedIssuer), mem.(*keywrightv1alpha1.TrustedIssuer)
		a.Status.KeyCount = int32(p.rnd.IntN(3))
		b.Status.KeyCount = a.Status.KeyCount
		_, err := p.mem.update(b, true)
		p.compare("update the status of "+r.String(), r, p.api.Status().Update(ctx, a), err)
	default:
		p.update(r, inAPI, mem)
	}
}

// update replaces an object, with a version that may be current, old, empty, or of another object.
func (p *pair) update(r ref, inAPI, mem client.Object) {
	next := p.fresh(r)
	how := p.rnd.IntN(6)
	if old, ok := p.old[r]; ok && how == 0 {
		inAPI, mem = old[0], old[1]
	}
	p.old[r] = [2]client.Object{inAPI, mem}
	send := func(of client.Object) client.Object {
		o := next.DeepCopyObject().(client.Object)
		if how == 5 {
			o = of.DeepCopyObject().(client.Object) // changes nothing
		}
		if s, ok := o.(*corev1.Secret); ok {
			s.Type = of.(*corev1.Secret).Type
		}
		o.SetResourceVersion(of.GetResourceVersion())
		o.SetUID(of.GetUID())
		switch how {
		case 1:
			o.SetResourceVersion("")
		case 2:
			o.SetUID("other")
		}
		return o
	}
	_, err := p.mem.update(send(mem), false)
	p.compare(fmt.Sprintf("update %s, way %d", r, how), r, p.api.Update(context.Background(), send(inAPI)), err)
}

func (p *pair) patch(r ref, inAPI, mem client.Object) {
	value := fmt.Sprint(p.rnd.IntN(3))
	change := func(o client.Object) ([]byte, client.Patch) {
		patch := client.MergeFromWithOptions(o.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
		next := o.DeepCopyObject().(client.Object)
		next.SetAnnotations(map[string]string{"a": value})
		data, err := patch.Data(next)
		must(err)
		return data, client.RawPatch(types.MergePatchType, data)
	}
	data, _ := change(mem)
	_, patch := change(inAPI)
	_, err := p.mem.patch(r, data)
	p.compare("patch "+r.String(), r, p.api.Patch(context.Background(), p.withName(r), patch), err)
}

func (p *pair) apply(r ref) {
	manager := fmt.Sprintf("m%d", p.rnd.IntN(2))
	data := map[string]string{"k": fmt.Sprint(p.rnd.IntN(3))}
	labels := map[string]string{"l": "1"}
	a := applycorev1.ConfigMap(r.name, r.namespace).WithLabels(labels).WithData(data)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: r.name, Namespace: r.namespace, Labels: labels}, Data: data}
	before, _ := p.mem.get(r)
	after, err := p.mem.apply(cm, manager)
	if before != nil && after != nil && before.GetResourceVersion() == after.GetResourceVersion() {
		// The API server sorts managedFields by time. If a second has passed, it may store an object in which only their order changed.
		delete(p.old, r)
	}
	p.compare("apply "+r.String()+" by "+manager, r, p.api.Apply(context.Background(), a, client.FieldOwner(manager)), err)
}

func (p *pair) standing(r ref) (client.Object, client.Object) {
	inAPI := p.withName(r)
	if err := p.api.Get(context.Background(), client.ObjectKeyFromObject(inAPI), inAPI); err != nil {
		return nil, nil
	}
	mem, err := p.mem.get(r)
	if err != nil {
		p.t.Fatalf("%s stands in the API server, and not in the store", r)
	}
	return inAPI, mem.DeepCopyObject().(client.Object)
}

func (p *pair) both(what string, o client.Object, inAPI, mem func(client.Object) error) {
	r := refOf(o)
	err := mem(o.DeepCopyObject().(client.Object))
	p.compare(what, r, inAPI(o), err)
}

// compare compares the kinds of two errors, and the stored objects after them.
func (p *pair) compare(what string, r ref, inAPI, mem error) {
	p.t.Helper()
	if a, b := apierrors.ReasonForError(inAPI), apierrors.ReasonForError(mem); a != b || (inAPI == nil) != (mem == nil) {
		p.t.Errorf("%s: the API server says %v, the store %v", what, inAPI, mem)
	}
	a := p.withName(r)
	found := p.api.Get(context.Background(), client.ObjectKeyFromObject(a), a)
	b, inStore := p.mem.get(r)
	if (found == nil) != (inStore == nil) {
		p.t.Errorf("%s: then the API server has it: %v, the store: %v", what, found, inStore)
	} else if found == nil {
		if diff := cmp.Diff(plain(p.t, a), plain(p.t, b)); diff != "" {
			p.t.Errorf("%s: - API server, + store: %s", what, diff)
		}
	}
}

// plain returns an object as JSON, without fields that must differ.
func plain(t *testing.T, o client.Object) map[string]any {
	t.Helper()
	o = o.DeepCopyObject().(client.Object)
	o.SetManagedFields(nil)
	o.SetResourceVersion("")
	o.SetUID("")
	o.SetCreationTimestamp(metav1.Time{})
	if o.GetDeletionTimestamp() != nil {
		o.SetDeletionTimestamp(&metav1.Time{Time: time.Unix(1, 0)})
	}
	o.SetDeletionGracePeriodSeconds(nil)
	if ns, ok := o.(*corev1.Namespace); ok {
		ns.Spec, ns.Status = corev1.NamespaceSpec{}, corev1.NamespaceStatus{}
	}
	var out map[string]any
	b, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(out, "kind")
	delete(out, "apiVersion")
	return out
}

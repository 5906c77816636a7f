package simulation

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/controllers/wiring"
)

// view is a process's informer cache of one kind. It lags.
type view struct {
	kind    string
	seen    int // changes of the store that it has seen
	objects map[ref]client.Object
}

// watchedKinds are the kinds that a process caches, in the order in which a turn delivers them.
func (w *world) watchedKinds() []string {
	kinds := []string{kindSigningKey, kindRevocation, kindSecret, kindNamespace, kindConfigMap}
	if w.foreign != nil {
		kinds = append(kinds, kindTrusted, kindFetched)
	}
	return kinds
}

// shown returns an object as in the cache of a process, by the product's cacheOptions, and nil if it is not cached.
func shown(o client.Object) client.Object {
	switch o := o.(type) {
	case nil:
		return nil
	case *corev1.ConfigMap:
		if o.Name != contract.JWKSConfigMap && (o.Name != contract.FetchedConfigMap || o.Namespace != keyNamespace) {
			return nil
		}
		return o
	case *corev1.Secret:
		if o.Namespace != keyNamespace || o.Labels[contract.ManagedByLabel] != contract.ManagedBy {
			return nil
		}
		return metadataOf(o, kindSecret)
	case *corev1.Namespace:
		m := metadataOf(o, kindNamespace)
		m.Annotations, m.OwnerReferences = nil, nil
		return m
	default:
		return o
	}
}

func metadataOf(o client.Object, kind string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
	switch o := o.(type) {
	case *corev1.Secret:
		o.ObjectMeta.DeepCopyInto(&m.ObjectMeta)
	case *corev1.Namespace:
		o.ObjectMeta.DeepCopyInto(&m.ObjectMeta)
	case *corev1.Pod:
		o.ObjectMeta.DeepCopyInto(&m.ObjectMeta)
	}
	return m
}

// open fills the views of a new process, and delivers their objects to the handlers.
func (p *process) open() {
	for _, kind := range p.w.watchedKinds() {
		v := &view{kind: kind, seen: len(p.w.store.changes[kind]), objects: map[ref]client.Object{}}
		p.views[kind] = v
		for _, o := range p.w.store.list(kind, "") {
			if s := shown(o); s != nil {
				v.objects[refOf(o)] = s
			}
		}
	}
	for _, kind := range p.w.watchedKinds() {
		for _, o := range sortedObjects(p.views[kind].objects, kind, "") {
			p.dispatch(kind, nil, o, true)
		}
	}
}

// behind returns how many changes of a kind a process has not seen.
func (p *process) behind(kind string) int { return len(p.w.store.changes[kind]) - p.views[kind].seen }

// catchUp delivers the next n changes of a kind to a process. If collapsed, it sees only the last one of each object,
// as after a relist.
func (p *process) catchUp(kind string, n int, collapsed bool) {
	v := p.views[kind]
	batch := p.w.store.changes[kind][v.seen : v.seen+n]
	v.seen += n
	last := map[ref]int{}
	for i := range batch {
		last[batch[i].ref] = i
	}
	for i := range batch {
		if collapsed && last[batch[i].ref] != i {
			continue
		}
		was := v.objects[batch[i].ref]
		is := shown(batch[i].new)
		if is == nil {
			delete(v.objects, batch[i].ref)
		} else {
			v.objects[batch[i].ref] = is
		}
		if was != nil || is != nil {
			p.dispatch(kind, was, is, false)
		}
	}
}

// dispatch delivers a change to the handlers of all controllers whose predicates pass it.
func (p *process) dispatch(kind string, was, is client.Object, initial bool) {
	if kind == kindFetched {
		p.fetched.dispatch(was, is, initial)
		return
	}
	for _, c := range p.workloads {
		for _, watch := range c.watches {
			if kindOf(watch.Object) == kind {
				handOn(p.ctx, watch, was, is, initial, c.queue)
			}
		}
	}
}

func handOn(ctx context.Context, watch wiring.Watch, was, is client.Object, initial bool, q *queue) {
	passes := func(f func(predicate.Predicate) bool) bool {
		for _, p := range watch.Predicates {
			if !f(p) {
				return false
			}
		}
		return true
	}
	switch {
	case was == nil:
		e := event.CreateEvent{Object: is, IsInInitialList: initial}
		if passes(func(p predicate.Predicate) bool { return p.Create(e) }) {
			watch.Handler.Create(ctx, e, q)
		}
	case is == nil:
		e := event.DeleteEvent{Object: was}
		if passes(func(p predicate.Predicate) bool { return p.Delete(e) }) {
			watch.Handler.Delete(ctx, e, q)
		}
	default:
		e := event.UpdateEvent{ObjectOld: was, ObjectNew: is}
		if passes(func(p predicate.Predicate) bool { return p.Update(e) }) {
			watch.Handler.Update(ctx, e, q)
		}
	}
}

// due returns when a process must have seen its next change of any kind, zero if it has seen all.
func (p *process) due(lag time.Duration) (time.Time, string) {
	var first time.Time
	of := ""
	for _, kind := range p.w.watchedKinds() {
		if p.behind(kind) == 0 {
			continue
		}
		at := p.w.store.changes[kind][p.views[kind].seen].at.Add(lag)
		if first.IsZero() || at.Before(first) {
			first, of = at, kind
		}
	}
	return first, of
}

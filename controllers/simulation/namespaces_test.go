package simulation

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func (u *users) someNamespace() *corev1.Namespace {
	all := slices.DeleteFunc(u.w.store.list(kindNamespace, ""), func(o client.Object) bool { return o.GetName() == keyNamespace })
	if len(all) == 0 {
		return nil
	}
	return all[u.rnd.IntN(len(all))].(*corev1.Namespace)
}

func (u *users) label() {
	if ns := u.someNamespace(); ns != nil {
		next := ns.DeepCopy()
		if next.Labels["verify"] == "yes" {
			delete(next.Labels, "verify")
		} else {
			next.Labels["verify"] = "yes"
		}
		_, _ = u.w.store.update(next, false)
	}
}

func (u *users) newNamespace() {
	u.makeNamespace(pick(u.rnd, "ns0", "ns1", "ns2", "ns3"))
}

// deleteNamespace deletes a namespace. It is Terminating first, and its pods and objects are deleted later.
func (u *users) deleteNamespace() {
	ns := u.someNamespace()
	if ns == nil || ns.DeletionTimestamp != nil {
		return
	}
	r := refOf(ns)
	_ = u.w.store.delete(r, nil)
	at := u.due.Add(time.Duration(u.rnd.Int64N(int64(u.w.lag))))
	u.plan = append(u.plan, deed{at: at, name: "end " + r.String(), do: func() { u.w.purge(r) }})
	slices.SortStableFunc(u.plan, func(a, b deed) int { return a.at.Compare(b.at) })
}

// purge removes a namespace and all objects in it.
func (w *world) purge(r ref) {
	w.pods.remove(r.name)
	for _, kind := range []string{kindPod, kindConfigMap, kindSecret} {
		for _, o := range w.store.list(kind, r.name) {
			w.store.put(o, nil)
		}
	}
	if ns, err := w.store.get(r); err == nil {
		w.store.put(ns, nil)
	}
	for of := range w.faults.refused {
		if of.namespace == r.name {
			delete(w.faults.refused, of)
		}
	}
}

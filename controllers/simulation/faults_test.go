package simulation

import (
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// faults are the faults of the infrastructure.
type faults struct {
	w *world
	// clean is set if there are none.
	clean bool
	// refused are the objects that admission refuses from controllers.
	refused map[ref]bool
	// calm ends all faults.
	calm bool
	// still ends the temporary faults: responses are not lost any more, but refused objects stay refused.
	still bool
}

func (f *faults) chance(percent int) bool {
	return !f.clean && !f.calm && !f.still && f.w.rnd.IntN(100) < percent
}

func (f *faults) read(p *process, r ref) error {
	if f.chance(1) {
		f.w.log("%s: read %s: lost", p.name, r)
		for _, a := range p.working {
			a.faulted = true
		}
		return apierrors.NewTimeoutError("simulated: the read was lost", 1)
	}
	return nil
}

func (f *faults) refusal(r ref, do func() error) error {
	if f.refused[r] {
		return apierrors.NewForbidden(r.resource(), r.name, fmt.Errorf("simulated: admission refuses"))
	}
	return do()
}

// write decides whether a write is refused, is lost before or after it is applied, or succeeds.
func (f *faults) write(p *process, r ref, do func() error) error {
	switch {
	case f.refused[r]:
		return f.refusal(r, do)
	case f.chance(2):
		f.w.log("%s: the next write is lost", p.name)
		return apierrors.NewServiceUnavailable("simulated: the request was lost")
	case f.chance(2):
		err := do()
		f.w.log("%s: the next write was answered %v, and the answer is lost", p.name, err)
		return apierrors.NewTimeoutError("simulated: the answer was lost", 1)
	default:
		return do()
	}
}

// strike causes one random fault.
func (f *faults) strike() {
	if f.clean {
		return
	}
	w := f.w
	switch w.rnd.IntN(7) {
	case 0:
		if p := w.anyProcess(); p != nil {
			p.clock = w.clockOffset()
			w.log("the clock of %s steps to +%s", p.name, p.clock)
		}
	case 1:
		pod := w.pods.all[w.rnd.IntN(len(w.pods.all))]
		pod.clock = w.clockOffset()
		w.log("the clock of %s steps to +%s", pod, pod.clock)
	case 2, 3:
		f.toggle()
	case 4:
		pod := w.pods.all[w.rnd.IntN(len(w.pods.all))]
		w.pods.restart(pod)
	case 5:
		if p := w.anyProcess(); p != nil { // a relist
			kind := w.watchedKinds()[w.rnd.IntN(4)]
			p.catchUp(kind, p.behind(kind), true)
		}
	case 6:
		w.holdUp()
	}
}

// holdUp delays a reconciliation for longer than the propagation delay, between its observation of the files and its
// decision. Meanwhile a user removes the Standby from a file.
func (w *world) holdUp() {
	p := w.anyProcess()
	if p == nil || !w.users.rough || len(p.working) > 0 {
		return
	}
	queue := p.workloads[0].queue
	queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: signingKey}})
	a := p.begin(p.workloads[0], w.rnd.IntN(queue.Len()))
	for a.at != sawFiles {
		if p.advance(a) {
			return
		}
	}
	w.pass(w.lag + time.Duration(w.rnd.Int64N(int64(w.lag))))
	w.users.stripStandby()
	for !p.advance(a) {
	}
}

// toggle makes admission refuse one object, or accept it again.
func (f *faults) toggle() {
	w := f.w
	r := keyRef
	switch w.rnd.IntN(8) {
	case 0:
		r = keyringRef
	case 1:
		r = secretRef
	case 2:
	default:
		all := w.store.list(kindNamespace, "")
		r = filesIn(all[w.rnd.IntN(len(all))].GetName())
	}
	if r.kind != kindConfigMap {
		w.disturbed = w.now
	}
	if f.refused[r] {
		delete(f.refused, r)
		w.log("%s can be written again", r)
	} else if len(f.refused) < 3 {
		f.refused[r] = true
		w.log("%s is refused from now on", r)
	}
}

func (f *faults) sortedRefusals() []string {
	var all []string
	for r := range f.refused {
		all = append(all, r.String())
	}
	slices.Sort(all)
	return all
}

func (w *world) anyProcess() *process {
	p := w.processes[w.rnd.IntN(2)]
	if p == nil {
		p = w.processes[0]
	}
	return p
}

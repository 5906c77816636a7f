package simulation

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers"
	"github.com/keywright/keywright/controllers/rotation"
	"github.com/keywright/keywright/controllers/wiring"
)

// process is one controller process: its reconcilers, queues and views, and its clock.
type process struct {
	w         *world
	name      string
	slot      int
	started   int // the step of the world at its start
	clock     time.Duration
	worked    time.Time // when it first had no more work
	views     map[string]*view
	fetched   *fetchedCache // nil without TrustedIssuers
	workloads []*workload
	working   []*activity
	ctx       context.Context //nolint:containedctx // that of the handlers and sources of this process
	stop      context.CancelFunc
	// absent are the namespaces without a ConfigMap when this process started. It does not know that there was one.
	absent map[string]bool
}

// workload is one controller with its queue.
type workload struct {
	wiring.Controller
	watches []wiring.Watch
	queue   *queue
}

// activity is one call of Reconcile, which pauses at each call of the API.
type activity struct {
	p       *process
	c       *workload
	item    reconcile.Request
	started int // the step of the world at its start
	began   time.Time
	saw     int // changes of ConfigMaps that the process had seen at its start
	at      string
	resume  func() (string, bool)
	cancel  func()
	yield   func(string) bool
	result  reconcile.Result
	err     error
	crashed bool
	asked   []string // the revocations in the spec, as the process saw it at its start
	faulted bool     // a read failed meanwhile
}

type activityKey struct{}

// crash is the panic that ends an activity when its process ends.
type crash struct{}

func (w *world) startProcess(slot int) *process {
	w.starts++
	p := &process{
		w: w, name: fmt.Sprintf("p%d#%d", slot, w.starts), slot: slot, started: w.step, clock: w.clockOffset(), views: map[string]*view{},
		absent: w.withoutConfigMap(),
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.ctx, p.stop = ctrl.LoggerInto(ctx, logr.New(&watchfulLog{w: w})), cancel
	made := controllers.Process{
		Client: &cached{p: p}, API: &quorum{p}, KeyNamespace: keyNamespace, NudgePods: w.nudgePods,
		Now: func() time.Time { return w.now.Add(p.clock) }, Recorder: &recorder{w: w, p: p},
		Registry: prometheus.NewRegistry(),
		Generate: func(spec rotation.KeySpec) (rotation.Material, error) { return w.generate(p, spec) },
	}
	if w.foreign != nil {
		p.fetched = &fetchedCache{p: p}
		made.Fetched = p.fetched
	}
	for _, c := range made.Controllers() {
		p.workloads = append(p.workloads, &workload{c, c.Watches(), newQueue(func() time.Time { return w.now })})
	}
	for _, c := range p.workloads {
		for _, s := range c.Sources() {
			must(s.Start(p.ctx, c.queue))
			if s, ok := s.(source.SyncingSource); ok {
				must(s.WaitForSync(p.ctx))
			}
		}
	}
	p.open()
	w.log("%s starts", p.name)
	return p
}

// end crashes a process between two calls of the API.
func (p *process) end() {
	p.w.log("%s crashes", p.name)
	for _, a := range p.working {
		a.cancel()
	}
	p.working = nil
	p.stop()
}

// begin starts an activity for an item of a queue.
func (p *process) begin(c *workload, i int) *activity {
	a := &activity{p: p, c: c, item: c.queue.take(i), started: p.w.step, began: p.w.now, saw: p.views[kindConfigMap].seen}
	if key, ok := p.views[kindSigningKey].objects[keyRef].(*keywrightv1alpha1.SigningKey); ok {
		a.asked = key.Spec.RevokedKeyIDs
	}
	a.resume, a.cancel = iter.Pull(func(yield func(string) bool) {
		defer func() {
			switch cause := recover(); cause.(type) {
			case nil:
			case crash:
				a.crashed = true
			default:
				panic(cause)
			}
		}()
		a.yield = yield
		a.result, a.err = c.Reconcile(context.WithValue(p.ctx, activityKey{}, a), a.item)
	})
	p.working = append(p.working, a)
	return a
}

// advance runs an activity to its next call of the API, or to its end.
func (p *process) advance(a *activity) (ended bool) {
	p.w.step++
	at, going := a.resume()
	a.at = at
	if going {
		return false
	}
	for i := range p.working {
		if p.working[i] == a {
			p.working = append(p.working[:i], p.working[i+1:]...)
			break
		}
	}
	p.finish(a)
	return true
}

// finish queues an item again, as controller-runtime does.
func (p *process) finish(a *activity) {
	q := a.c.queue
	p.w.facts.taken(a)
	switch {
	case a.err != nil:
		p.w.log("%s: %s %s: %v", p.name, a.c.Name(), a.item.Name, a.err)
		q.AddRateLimited(a.item)
	case a.result.RequeueAfter > 0:
		q.Forget(a.item)
		q.AddAfter(a.item, a.result.RequeueAfter)
	default:
		q.Forget(a.item)
	}
	q.Done(a.item)
	p.w.runs++
}

func activityOf(ctx context.Context) *activity {
	a, _ := ctx.Value(activityKey{}).(*activity)
	return a
}

// pause returns control to the scheduler.
func (p *process) pause(ctx context.Context, what string) {
	if a := activityOf(ctx); a != nil && !a.yield(what) {
		panic(crash{})
	}
}

// recorder records the events.
type recorder struct {
	w *world
	p *process
}

func (r *recorder) Eventf(_, _ runtime.Object, kind, reason, action, note string, args ...any) {
	text := fmt.Sprintf(note, args...)
	r.w.mustNotHoldPrivateKeys("an event", text)
	r.w.log("%s: event %s %s %s: %s", r.p.name, kind, reason, action, text)
}

// watchfulLog fails if a private key is logged.
type watchfulLog struct{ w *world }

func (l *watchfulLog) Init(logr.RuntimeInfo)                  {}
func (l *watchfulLog) Enabled(int) bool                       { return true }
func (l *watchfulLog) WithValues(...any) logr.LogSink         { return l }
func (l *watchfulLog) WithName(string) logr.LogSink           { return l }
func (l *watchfulLog) Info(_ int, msg string, kv ...any)      { l.look(msg, kv) }
func (l *watchfulLog) Error(err error, msg string, kv ...any) { l.look(msg, append(kv, err)) }

func (l *watchfulLog) look(msg string, kv []any) {
	l.w.mustNotHoldPrivateKeys("the log", msg+fmt.Sprint(kv...))
}

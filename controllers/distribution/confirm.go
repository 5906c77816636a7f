package distribution

import (
	"context"
	"time"

	"github.com/keywright/keywright/controllers/desired"
)

// notReadWait is when to reconcile again if the object of a file exists but was not read yet by its controller.
const notReadWait = time.Second

// freezeNotRead freezes the names whose objects exist but were not read yet by their controller.
func (r *Reconciler) freezeNotRead(ctx context.Context, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	if len(names) == 0 {
		return 0, nil
	}
	exists, err := r.Quorum.Known(ctx)
	for _, name := range names {
		if exists[name] {
			projections[name] = desired.Projection{Frozen: true}
			wait = notReadWait
		}
	}
	return wait, err
}

// confirm reads the keyrings again whose projection may be old, and freezes those that it cannot confirm.
func (r *Reconciler) confirm(ctx context.Context, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	for _, name := range names {
		confirmed, err := r.Quorum.Confirm(ctx, name)
		if err != nil {
			return 0, err
		}
		held, _ := r.Projections.Get(name)
		if !confirmed {
			held.Frozen, wait = true, notReadWait
		}
		projections[name] = held
	}
	return wait, nil
}

// confirmEnd reads from the API server whether trust ends in a namespace, and freezes the names that still select it.
func (r *Reconciler) confirmEnd(ctx context.Context, namespace string, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	for _, name := range names {
		held := projections[name]
		selected, keepFor, err := r.Quorum.Target(ctx, name, namespace)
		if err != nil {
			return 0, err
		}
		if held.KeepFor = max(held.KeepFor, keepFor); selected {
			held.Frozen, wait = true, notReadWait
		}
		projections[name] = held
	}
	return wait, nil
}

package distribution

import (
	"context"
	"time"

	"github.com/keywright/keywright/controllers/desired"
)

// unansweredWait is when to look again at a file whose name exists but was not yet read by the signingkey controller.
const unansweredWait = time.Second

// answer freezes the names of files that exist and that the signingkey controller has not read yet.
func (r *Reconciler) answer(ctx context.Context, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	if len(names) == 0 {
		return 0, nil
	}
	exists, err := r.Quorum.Known(ctx)
	for _, name := range names {
		if exists[name] {
			projections[name] = desired.Projection{Frozen: true}
			wait = unansweredWait
		}
	}
	return wait, err
}

// confirm reads the keyrings anew whose projection may be old, and freezes those that cannot be believed.
func (r *Reconciler) confirm(ctx context.Context, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	for _, name := range names {
		believed, err := r.Quorum.Confirm(ctx, name)
		if err != nil {
			return 0, err
		}
		held, _ := r.Projections.Get(name)
		if !believed {
			held.Frozen, wait = true, unansweredWait
		}
		projections[name] = held
	}
	return wait, nil
}

// confirmEnd asks whether trust is to end in a namespace, and freezes the names that select it after all.
func (r *Reconciler) confirmEnd(ctx context.Context, namespace string, names []string, projections map[string]desired.Projection) (wait time.Duration, err error) {
	for _, name := range names {
		held := projections[name]
		selected, keepFor, err := r.Quorum.Target(ctx, name, namespace)
		if err != nil {
			return 0, err
		}
		if held.KeepFor = max(held.KeepFor, keepFor); selected {
			held.Frozen, wait = true, unansweredWait
		}
		projections[name] = held
	}
	return wait, nil
}

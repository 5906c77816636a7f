package podrefresh

import (
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/keywright/keywright/controllers/wiring"
)

// Name implements wiring.Controller.
func (r *Reconciler) Name() string { return r.For }

// Workers implements wiring.Controller.
func (r *Reconciler) Workers() int { return 2 }

// Watches implements wiring.Controller. It returns none.
func (r *Reconciler) Watches() []wiring.Watch { return nil }

// Sources returns a source of the requests of the signingkey controller.
func (r *Reconciler) Sources() []source.Source {
	return []source.Source{r.Requests.Added()}
}

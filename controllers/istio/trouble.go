package istio

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/log"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/report"
)

// note remembers how a look ended.
func (o *Objects) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // it was given up
	}
	o.mu.Lock()
	same := kindOf(o.trouble) == kindOf(err)
	o.trouble = err
	select {
	case <-o.answered:
	default:
		close(o.answered)
		same = false
	}
	o.mu.Unlock()
	if !same {
		log.FromContext(ctx).Info("State of Istio's RequestAuthentications changed", "state", kindOf(err))
		o.tell()
	}
}

// kindOf tells apart what an answer can mean.
func kindOf(err error) string {
	switch {
	case err == nil:
		return "readable"
	case apierrors.IsNotFound(err):
		return keywrightv1alpha1.ReasonIstioNotInstalled
	case apierrors.IsForbidden(err):
		return keywrightv1alpha1.ReasonIstioForbidden
	default:
		return keywrightv1alpha1.ReasonIstioUnreachable
	}
}

// tell says that Trouble or Refused say something else.
func (o *Objects) tell() {
	o.mu.Lock()
	changed := slices.Clone(o.changed)
	o.mu.Unlock()
	for _, f := range changed {
		f()
	}
}

// firstAnswer is how long everything waits for the first answer.
const firstAnswer = 10 * time.Second

// WaitForAnswer waits until it is known what stands, or why that is not known. An API server that does not answer about RequestAuthentications holds
// nothing else up for longer than ten seconds.
func (o *Objects) WaitForAnswer(ctx context.Context) bool {
	bounded, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	select {
	case <-o.answered:
	case <-bounded.Done():
		return ctx.Err() == nil
	}
	if o.lastTrouble() != nil {
		return true
	}
	toolscache.WaitForCacheSync(bounded.Done(), o.informer.HasSynced)
	return ctx.Err() == nil
}

// Readable reports whether it is known which RequestAuthentications stand: those that the watch shows, and none where there is no Istio.
func (o *Objects) Readable() bool {
	return o != nil && (o.informer.HasSynced() || o.Trouble() == keywrightv1alpha1.ReasonIstioNotInstalled)
}

// Trouble returns the reason of a condition that says why RequestAuthentications cannot be kept, empty if they can.
func (o *Objects) Trouble() string {
	if o == nil {
		return keywrightv1alpha1.ReasonIstioNotEnabled
	}
	err := o.lastTrouble()
	switch {
	case apierrors.IsNotFound(err) || apierrors.IsForbidden(err):
		return kindOf(err)
	case !o.informer.HasSynced():
		return keywrightv1alpha1.ReasonIstioUnreachable
	default:
		return "" // a watch that ended and begins again
	}
}

func (o *Objects) lastTrouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trouble
}

// Refused returns why the RequestAuthentication of a SigningKey in a namespace could not be written or deleted, empty if it could.
func (o *Objects) Refused(namespace, signingKey string) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refused[types.NamespacedName{Namespace: namespace, Name: signingKey}]
}

// mostReason is how many bytes of a reason a condition has.
const mostReason = 300

// ended notes how an attempt to write or delete ended.
func (o *Objects) ended(namespace, signingKey string, err error) {
	text := ""
	if err != nil {
		text = report.Shorten(err.Error(), mostReason)
	}
	key := types.NamespacedName{Namespace: namespace, Name: signingKey}
	o.mu.Lock()
	same := o.refused[key] == text
	if o.refused[key] = text; text == "" {
		delete(o.refused, key)
	}
	o.mu.Unlock()
	if !same {
		o.tell()
	}
}

// OnTrouble sets what else is called when Trouble or Refused say something else.
func (o *Objects) OnTrouble(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed = append(o.changed, f)
}

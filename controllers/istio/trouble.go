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

// note records the result of a list or watch.
func (o *Objects) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() != nil {
		return // it was canceled
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
		if err == nil {
			log.FromContext(ctx).Info("The controller can read Istio's RequestAuthentications")
		} else {
			log.FromContext(ctx).Info("The controller cannot read Istio's RequestAuthentications: check its permissions, and whether Istio is installed", "reason", kindOf(err))
		}
		o.notify()
	}
}

// kindOf returns the state for the result of a list or watch.
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

// notify calls the functions of OnTrouble.
func (o *Objects) notify() {
	o.mu.Lock()
	changed := slices.Clone(o.changed)
	o.mu.Unlock()
	for _, f := range changed {
		f()
	}
}

// firstAnswer is how long the start waits for the first response.
const firstAnswer = 10 * time.Second

// WaitForAnswer waits until the existing RequestAuthentications are known, or why they are not. It waits at most ten
// seconds, so that other controllers can start.
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

// Readable reports whether the existing RequestAuthentications are known. Without Istio, there are none.
func (o *Objects) Readable() bool {
	return o != nil && (o.informer.HasSynced() || o.Trouble() == keywrightv1alpha1.ReasonIstioNotInstalled)
}

// Trouble returns the reason for the condition if RequestAuthentications cannot be reconciled, otherwise an empty
// string.
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
		return "" // a watch that is being restarted
	}
}

func (o *Objects) lastTrouble() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trouble
}

// Refused returns why the RequestAuthentication of a SigningKey in a namespace could not be written or deleted, empty
// if it could.
func (o *Objects) Refused(namespace, signingKey string) string {
	if o == nil {
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refused[types.NamespacedName{Namespace: namespace, Name: signingKey}]
}

// maxReason limits an error in a condition, in bytes.
const maxReason = 300

// recordResult records the result of a write or deletion.
func (o *Objects) recordResult(namespace, signingKey string, err error) {
	text := ""
	if err != nil {
		text = report.Shorten(err.Error(), maxReason)
	}
	key := types.NamespacedName{Namespace: namespace, Name: signingKey}
	o.mu.Lock()
	same := o.refused[key] == text
	if o.refused[key] = text; text == "" {
		delete(o.refused, key)
	}
	o.mu.Unlock()
	if !same {
		o.notify()
	}
}

// OnTrouble adds a function that is called if the results of Trouble or Refused change.
func (o *Objects) OnTrouble(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed = append(o.changed, f)
}

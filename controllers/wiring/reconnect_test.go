package wiring

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	toolscache "k8s.io/client-go/tools/cache"
)

// Requests are retried while the API server does not respond, but not after any response, and not after the context has
// ended.
func TestReconnecting(t *testing.T) {
	t.Parallel()
	away, says := syscall.ECONNREFUSED, apierrors.NewServiceUnavailable("starting")
	ask := func(ctx context.Context, answers ...error) (asked int, err error) {
		lw := Reconnecting(&toolscache.ListWatch{ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			asked++
			return &corev1.SecretList{}, answers[min(asked, len(answers))-1]
		}})
		_, err = lw.ListWithContext(ctx, metav1.ListOptions{})
		return asked, err
	}
	if asked, err := ask(t.Context(), away, away, nil); asked != 3 || err != nil {
		t.Errorf("a server that comes back: asked %d times, %v", asked, err)
	}
	if asked, err := ask(t.Context(), says); asked != 1 || !errors.Is(err, says) {
		t.Errorf("a server that answers: asked %d times, %v", asked, err)
	}
	bounded, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if asked, err := ask(bounded, away); asked < 1 || !errors.Is(err, away) {
		t.Errorf("a server that stays away: asked %d times, %v", asked, err)
	}
}

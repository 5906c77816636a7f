package wiring

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
)

// reconnectEvery is how often an informer tries to reach an API server that does not answer, give or take a half.
const reconnectEvery = time.Second

// Reconnecting lets an informer hear of changes again within two seconds of the API server's return. That of client-go pauses for up to 30 seconds
// then, which thousands of clients must do, and a revocation would wait for: here are a few watches of one controller. client-go lets nobody set that
// pause (kubernetes/kubernetes#136943), so it is never reached.
func Reconnecting(lw toolscache.ListerWatcher) *toolscache.ListWatch {
	server := toolscache.ToListerWatcherWithContext(lw)
	return &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return reconnected(ctx, func() (runtime.Object, error) { return server.ListWithContext(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return reconnected(ctx, func() (watch.Interface, error) { return server.WatchWithContext(ctx, options) })
		},
	}
}

// reconnected asks until the API server answers, whatever it says, or until the context ends.
func reconnected[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	for said := false; ; said = true {
		answer, err := ask()
		if status := apierrors.APIStatus(nil); err == nil || errors.As(err, &status) || ctx.Err() != nil {
			return answer, err
		}
		if !said {
			ctrl.Log.WithName("cache").Info("The API server does not respond: retrying every second", "error", err.Error())
		}
		timer := time.NewTimer(reconnectEvery/2 + rand.N(reconnectEvery)) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return answer, err
		case <-timer.C:
		}
	}
}

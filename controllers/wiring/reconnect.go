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

// reconnectEvery is how often an informer retries if the API server does not respond, plus or minus a half.
const reconnectEvery = time.Second

// Reconnecting lets an informer receive changes again within two seconds after an outage of the API server. Otherwise
// client-go waits up to 30 seconds, which is meant for thousands of clients, and would delay a revocation. That delay
// is not configurable (kubernetes/kubernetes#136943), so Reconnecting retries itself.
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

// reconnected retries a request until the API server responds, even with an error, or until the context ends.
func reconnected[T any](ctx context.Context, request func() (T, error)) (T, error) {
	for logged := false; ; logged = true {
		response, err := request()
		if status := apierrors.APIStatus(nil); err == nil || errors.As(err, &status) || ctx.Err() != nil {
			return response, err
		}
		if !logged {
			ctrl.Log.WithName("cache").Info("The API server does not respond: retrying every second", "error", err.Error())
		}
		timer := time.NewTimer(reconnectEvery/2 + rand.N(reconnectEvery)) //nolint:gosec // no secret
		select {
		case <-ctx.Done():
			timer.Stop()
			return response, err
		case <-timer.C:
		}
	}
}

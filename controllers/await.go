package controllers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// awaitAPIServer returns when the API server responds, even with an error, or returns an error when the context ends.
// If the controller exited instead, its kubelet would restart it after a back-off of up to five minutes, without any
// revocation.
func awaitAPIServer(ctx context.Context, config *rest.Config, log logr.Logger) error {
	logged := false
	return poll(ctx, config, func(client discovery.DiscoveryInterface) bool {
		_, err := client.ServerVersion()
		if status := apierrors.APIStatus(nil); err == nil || errors.As(err, &status) && status.Status().Code < 500 {
			return true
		}
		if !logged {
			log.Error(err, "The API server does not respond: retrying every second")
			logged = true
		}
		return false
	})
}

// awaitResources returns when the API server has all resources of this version, or returns an error when the context
// ends. Helm never changes CRDs, so they may be of an older version. Without one of them, a controller would rotate
// nothing, without an error.
func awaitResources(ctx context.Context, config *rest.Config, log logr.Logger) error {
	logged := ""
	return poll(ctx, config, func(client discovery.DiscoveryInterface) bool {
		missing := []string{"signingkeys", "revocations", "trustedissuers"}
		known, err := client.ServerResourcesForGroupVersion(keywrightv1alpha1.GroupVersion().String())
		if err != nil && !apierrors.IsNotFound(err) {
			if logged != err.Error() {
				log.Error(err, "Failed to list the resources of the API server: retrying every second")
				logged = err.Error()
			}
			return false
		}
		if known != nil {
			missing = slices.DeleteFunc(missing, func(name string) bool {
				return slices.ContainsFunc(known.APIResources, func(r metav1.APIResource) bool { return r.Name == name })
			})
		}
		if text := strings.Join(missing, ", "); text != logged && text != "" {
			log.Error(nil, "The API server does not serve all kinds: waiting. Apply the CRDs of this version", "missing", text)
			logged = text
		}
		return len(missing) == 0
	})
}

// poll calls done once per second until it returns true or the context ends.
func poll(ctx context.Context, config *rest.Config, done func(discovery.DiscoveryInterface) bool) error {
	config = rest.CopyConfig(config)
	config.Timeout = 5 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) { return done(client), nil })
}

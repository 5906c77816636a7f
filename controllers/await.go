package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// awaitAPIServer returns when the API server answers, whatever it says, or with an error when the context ends. A controller that ended
// instead would be started again by its kubelet after a back-off of up to five minutes, in which nothing could be revoked.
func awaitAPIServer(ctx context.Context, config *rest.Config, log logr.Logger) error {
	config = rest.CopyConfig(config)
	config.Timeout = 5 * time.Second
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	said := false
	return wait.PollUntilContextCancel(ctx, time.Second, true, func(context.Context) (bool, error) {
		_, err := client.ServerVersion()
		if status := apierrors.APIStatus(nil); err == nil || errors.As(err, &status) && status.Status().Code < 500 {
			return true, nil
		}
		if !said {
			log.Error(err, "The API server does not answer: waiting for it")
			said = true
		}
		return false, nil
	})
}

package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// stoppedMessage is the message of Ready after Keywright was uninstalled.
const stoppedMessage = "Keywright was uninstalled: services still verify tokens with the keys in the files, but no key is rotated, " +
	"fetched or revoked. Install it again to continue, or to delete this object"

// errStillWorks is returned if a controller continues to renew its Lease.
var errStillWorks = errors.New("a controller is still running: stop it first")

// Release sets Ready of every SigningKey and TrustedIssuer to Unknown, since no controller runs any more. It first
// waits until the last leader has released its Lease or let it expire, and returns errStillWorks after
// opts.RenewDeadline and four times opts.LeaseDuration.
func Release(ctx context.Context, config *rest.Config, opts Options) error {
	scheme := runtime.NewScheme()
	if err := errors.Join(coordinationv1.AddToScheme(scheme), keywrightv1alpha1.AddToScheme(scheme)); err != nil {
		return err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	if err := awaitLeaseEnd(ctx, api, opts); err != nil {
		return err
	}
	for _, list := range []client.ObjectList{&keywrightv1alpha1.SigningKeyList{}, &keywrightv1alpha1.TrustedIssuerList{}} {
		if err := setAllStopped(ctx, api, list); err != nil {
			return err
		}
	}
	return nil
}

// setAllStopped calls setStopped for every object of a kind.
func setAllStopped(ctx context.Context, api client.Client, list client.ObjectList) error {
	if err := api.List(ctx, list); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil // the CRD is gone
		}
		return err
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(client.Object)
		if !ok {
			return nil
		}
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return setStopped(ctx, api, object) })
		if err != nil {
			return fmt.Errorf("update the status of %T %s: %w", object, object.GetName(), err)
		}
		return nil
	})
}

// awaitLeaseEnd returns when no controller holds the Lease. As in client-go's leader election, expiry is measured from
// when a renewal was seen, since clocks may differ. A released Lease is watched for as long as another replica needs to
// acquire it.
func awaitLeaseEnd(ctx context.Context, api client.Reader, opts Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, opts.RenewDeadline+4*opts.LeaseDuration, errStillWorks)
	defer cancel()
	var seen coordinationv1.LeaseSpec
	var since time.Time
	err := wait.PollUntilContextCancel(ctx, opts.RetryPeriod, true, func(ctx context.Context) (bool, error) {
		var lease coordinationv1.Lease
		err := api.Get(ctx, client.ObjectKey{Namespace: opts.KeyNamespace, Name: contract.Lease}, &lease)
		if err != nil {
			return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
		}
		if since.IsZero() || !equality.Semantic.DeepEqual(lease.Spec, seen) {
			seen, since = lease.Spec, opts.Now()
		}
		return opts.Now().Sub(since) > unchangedFor(&lease.Spec, opts.RetryPeriod), nil
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// unchangedFor returns how long a Lease must not change before it counts as expired.
func unchangedFor(spec *coordinationv1.LeaseSpec, retryPeriod time.Duration) time.Duration {
	if spec.HolderIdentity == nil || *spec.HolderIdentity == "" || spec.LeaseDurationSeconds == nil {
		return 2 * retryPeriod
	}
	return time.Duration(*spec.LeaseDurationSeconds) * time.Second
}

// setStopped sets the condition Ready. It keeps the others, which describe the last reconciliation.
func setStopped(ctx context.Context, api client.Client, listed client.Object) error {
	key, ti := &keywrightv1alpha1.SigningKey{}, &keywrightv1alpha1.TrustedIssuer{}
	var object client.Object = key
	conditions, observed := &key.Status.Conditions, &key.Status.ObservedGeneration
	if _, is := listed.(*keywrightv1alpha1.TrustedIssuer); is {
		object, conditions, observed = ti, &ti.Status.Conditions, &ti.Status.ObservedGeneration
	}
	if err := api.Get(ctx, client.ObjectKeyFromObject(listed), object); err != nil {
		return client.IgnoreNotFound(err)
	}
	meta.SetStatusCondition(conditions, metav1.Condition{
		Type: keywrightv1alpha1.ConditionReady, Status: metav1.ConditionUnknown, Reason: keywrightv1alpha1.ReasonControllerStopped,
		Message: stoppedMessage, ObservedGeneration: *observed,
	})
	return client.IgnoreNotFound(api.Status().Update(ctx, object))
}

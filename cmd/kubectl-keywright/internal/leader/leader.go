package leader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// controllerPods selects the pods of the controller.
const controllerPods = "app.kubernetes.io/name=keywright,app.kubernetes.io/component=controller"

// Leader is the controller that holds the Lease, as of the last response of the API server.
type Leader struct {
	// Namespace is that of the Lease, or of --key-namespace if there is no Lease.
	Namespace string
	// Others are other namespaces with a Lease of this name.
	Others []string

	holder string
	// renewed is the time of the last renewal, zero if there is no Lease.
	renewed time.Time
	lasts   time.Duration
	// readAt is the time of the API server when it returned the Lease.
	readAt time.Time
}

// Find reads the Lease: in the namespace of --key-namespace, otherwise in any namespace. Without permission for all namespaces, it looks in
// the default one.
func Find(ctx context.Context, env *cli.Env, k client.Client) (Leader, error) {
	var list coordinationv1.LeaseList
	byName := client.MatchingFields{"metadata.name": contract.Lease}
	err := k.List(ctx, &list, byName, client.InNamespace(env.KeyNamespace))
	if apierrors.IsForbidden(err) && env.KeyNamespace == "" {
		err = k.List(ctx, &list, byName, client.InNamespace(cli.DefaultKeyNamespace))
	}
	if err != nil || len(list.Items) == 0 {
		return Leader{Namespace: env.KeyNamespace, readAt: env.ServerNow()}, err
	}
	slices.SortFunc(list.Items, func(a, b coordinationv1.Lease) int { return renewedAt(&b).Compare(renewedAt(&a)) })
	newest := &list.Items[0]
	l := Leader{Namespace: newest.Namespace, renewed: renewedAt(newest), readAt: env.ServerNow()}
	if newest.Spec.HolderIdentity != nil {
		l.holder = *newest.Spec.HolderIdentity
	}
	if seconds := newest.Spec.LeaseDurationSeconds; seconds != nil {
		l.lasts = time.Duration(*seconds) * time.Second
	}
	for i := range list.Items[1:] {
		l.Others = append(l.Others, list.Items[i+1].Namespace)
	}
	return l, nil
}

// KeyNamespace returns the namespace of --key-namespace, otherwise that of the Lease. Without permission to list Leases, or without a Lease,
// it returns the default one.
func KeyNamespace(ctx context.Context, env *cli.Env, k client.Client) (string, error) {
	if env.KeyNamespace != "" {
		return env.KeyNamespace, nil
	}
	l, err := Find(ctx, env, k)
	if err != nil && !apierrors.IsForbidden(err) {
		return "", err
	}
	return cmp.Or(l.Namespace, cli.DefaultKeyNamespace), nil
}

func renewedAt(lease *coordinationv1.Lease) time.Time {
	if lease.Spec.RenewTime == nil {
		return lease.CreationTimestamp.Time
	}
	return lease.Spec.RenewTime.Time
}

// Running reports whether a controller holds the Lease and renews it.
func (l *Leader) Running() bool { return l.holder != "" && l.readAt.Before(l.renewed.Add(l.lasts)) }

// String returns the holder of the Lease, or since when no controller is running.
func (l *Leader) String() string {
	about := fmt.Sprintf("the Lease %s in namespace %s", contract.Lease, l.Namespace)
	ago := fmt.Sprintf("%s (%s ago)", l.renewed.UTC().Format(time.RFC3339), duration.HumanDuration(max(l.readAt.Sub(l.renewed), 0)))
	switch {
	case l.Running():
		return fmt.Sprintf("controller %s holds %s", l.holder, about)
	case l.renewed.IsZero():
		where := "any namespace"
		if l.Namespace != "" {
			where = "namespace " + l.Namespace
		}
		return fmt.Sprintf("no controller is running: there is no Lease %s in %s. None was started, or it was removed. A controller with --leader-elect=false holds no Lease, and cannot be found",
			contract.Lease, where)
	case l.holder == "":
		return fmt.Sprintf("no controller is running: the last one stopped, and released %s at %s", about, ago)
	default:
		return fmt.Sprintf("no controller is running: %s held %s and has not renewed it since %s", l.holder, about, ago)
	}
}

// Hint returns the commands that show why no controller is running.
func (l *Leader) Hint() string {
	in := "-A"
	if l.Namespace != "" {
		in = "-n " + l.Namespace
	}
	look := fmt.Sprintf("Check `kubectl get pods %s -l %s`", in, controllerPods)
	if l.Namespace != "" {
		look += fmt.Sprintf(" and `kubectl logs %s -l %s`", in, controllerPods)
	}
	return look
}

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/controllers"
)

// podsOfTheController selects the pods that --selector of kubectl is to find.
const podsOfTheController = "app.kubernetes.io/name=keywright,app.kubernetes.io/component=controller"

// leader is what the Lease of the controllers says of the one that works.
type leader struct {
	namespace, holder string
	// renewed is when the Lease was renewed last, zero if there is no Lease.
	renewed time.Time
	lasts   time.Duration
	// asked is the time of the API server when it gave the Lease.
	asked time.Time
	// others are more namespaces with a Lease of this name.
	others []string
}

// leader finds the Lease of the controllers: in the key namespace if a flag names it, else in whatever namespace has one. Whoever may
// not look everywhere is shown the usual namespace.
func (c *command) leader(ctx context.Context, k client.Client) (leader, error) {
	var list coordinationv1.LeaseList
	byName := client.MatchingFields{"metadata.name": controllers.LeaseName}
	err := k.List(ctx, &list, byName, client.InNamespace(c.KeyNamespace))
	if apierrors.IsForbidden(err) && c.KeyNamespace == "" {
		err = k.List(ctx, &list, byName, client.InNamespace(cli.DefaultKeyNamespace))
	}
	if err != nil || len(list.Items) == 0 {
		return leader{namespace: c.KeyNamespace, asked: c.ServerNow()}, err
	}
	slices.SortFunc(list.Items, func(a, b coordinationv1.Lease) int { return renewedAt(&b).Compare(renewedAt(&a)) })
	newest := &list.Items[0]
	l := leader{namespace: newest.Namespace, renewed: renewedAt(newest), asked: c.ServerNow()}
	if newest.Spec.HolderIdentity != nil {
		l.holder = *newest.Spec.HolderIdentity
	}
	if seconds := newest.Spec.LeaseDurationSeconds; seconds != nil {
		l.lasts = time.Duration(*seconds) * time.Second
	}
	for i := range list.Items[1:] {
		l.others = append(l.others, list.Items[i+1].Namespace)
	}
	return l, nil
}

func renewedAt(lease *coordinationv1.Lease) time.Time {
	if lease.Spec.RenewTime == nil {
		return lease.CreationTimestamp.Time
	}
	return lease.Spec.RenewTime.Time
}

// works reports whether a controller holds the Lease and renews it.
func (l *leader) works() bool { return l.holder != "" && l.asked.Before(l.renewed.Add(l.lasts)) }

// String says who works, or since when nobody does.
func (l *leader) String() string {
	about := fmt.Sprintf("the Lease %s in namespace %s", controllers.LeaseName, l.namespace)
	ago := fmt.Sprintf("%s (%s ago)", l.renewed.UTC().Format(time.RFC3339), duration.HumanDuration(max(l.asked.Sub(l.renewed), 0)))
	switch {
	case l.works():
		return fmt.Sprintf("controller %s holds %s", l.holder, about)
	case l.renewed.IsZero():
		where := "any namespace"
		if l.namespace != "" {
			where = "namespace " + l.namespace
		}
		return fmt.Sprintf("no controller works: there is no Lease %s in %s. It never ran or was removed (or runs with --leader-elect=false)",
			controllers.LeaseName, where)
	case l.holder == "":
		return fmt.Sprintf("no controller works: the last one was stopped, and gave up %s at %s", about, ago)
	default:
		return fmt.Sprintf("no controller works: %s held %s and has not renewed it since %s", l.holder, about, ago)
	}
}

// whereToLook says which commands tell why no controller works.
func (l *leader) whereToLook() string {
	in := "-A"
	if l.namespace != "" {
		in = "-n " + l.namespace
	}
	look := fmt.Sprintf("Look at `kubectl get pods %s -l %s`", in, podsOfTheController)
	if l.namespace != "" {
		look += fmt.Sprintf(" and `kubectl logs %s -l %s`", in, podsOfTheController)
	}
	return look
}

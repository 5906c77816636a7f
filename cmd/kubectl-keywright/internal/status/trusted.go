package status

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// showTrustedIssuers prints the TrustedIssuers. It prints nothing if the cluster does not have the CRD, or the user may not list them.
func (c *command) showTrustedIssuers(ctx context.Context, k client.Client, stale bool) error {
	var list keywrightv1alpha1.TrustedIssuerList
	err := k.List(ctx, &list)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil
	}
	for i := range list.Items {
		cli.Printf(c.Out, "\n")
		c.showTrustedIssuer(&list.Items[i], stale)
	}
	return err
}

func (c *command) showTrustedIssuer(ti *keywrightv1alpha1.TrustedIssuer, stale bool) {
	s := &ti.Status
	cli.Printf(c.Out, "TrustedIssuer %s, %s. %s namespaces have its current keys.\n", ti.Name, ti.Spec.Issuer, cli.OrDash(s.Targets.Summary))
	if s.ObservedGeneration < ti.Generation {
		cli.Printf(c.Out, "  ??  the status is of generation %d, and the spec of generation %d: no controller has reconciled the change\n", s.ObservedGeneration, ti.Generation)
	}
	for i := range s.Conditions {
		cli.Printf(c.Out, "  %s  %-14s  %s\n", mark(&s.Conditions[i], stale), s.Conditions[i].Type, s.Conditions[i].Message)
	}
	for i := range s.Keys {
		cli.Printf(c.Out, "  key %s, %s\n", s.Keys[i].KeyID, s.Keys[i].Algorithm)
	}
	for i := range s.LeftOut {
		cli.Printf(c.Out, "  left out: %s\n", s.LeftOut[i].Reason)
	}
}

package plugintest

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// StopController stops the controller until the test ends.
func StopController(t *testing.T) {
	t.Helper()
	if err := stopController(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cluster.admin.Delete(context.Background(), Lease(cli.DefaultKeyNamespace)) // the controller would wait for a Lease that a test wrote
		if err := startController(); err != nil {
			t.Fatal(err)
		}
		awaitLease(t) // otherwise the next test finds no leader
	})
}

// awaitLease returns when a controller holds the Lease.
func awaitLease(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := cli.Poll(ctx, 50*time.Millisecond, func() (bool, error) {
		lease := Lease(cli.DefaultKeyNamespace)
		err := cluster.admin.Get(ctx, client.ObjectKeyFromObject(lease), lease)
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "", client.IgnoreNotFound(err)
	}); err != nil {
		t.Fatalf("no controller holds the Lease: %v", err)
	}
}

// Lease returns the Lease of the controllers in a namespace, without a spec.
func Lease(namespace string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: contract.Lease}}
}

// HoldLease writes the Lease as a controller leaves it that is killed.
func HoldLease(t *testing.T, holder string, renewed time.Time) {
	t.Helper()
	lease := Lease(cli.DefaultKeyNamespace)
	if err := cluster.admin.Get(t.Context(), client.ObjectKeyFromObject(lease), lease); err != nil {
		t.Fatal(err)
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = new(holder), new(int32(15))
	lease.Spec.RenewTime = &metav1.MicroTime{Time: renewed}
	if err := cluster.admin.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
}

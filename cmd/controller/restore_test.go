package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

// etcd is restored from a snapshot: spec, keyring and files are restored together, and a revocation is lost. The
// run-book of docs/operations.md is followed, and must have the documented result.
func TestEtcdRestored(t *testing.T) {
	t.Parallel()
	const name = "restored"
	before := newCluster(t, t.TempDir())
	before.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{name: "true"}}})
	controller := before.runWith(t, before.file("kubeconfig"), "--leader-elect=false")
	key := signingKeyFor(name, &metav1.LabelSelector{MatchLabels: map[string]string{name: "true"}})
	of := func(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }
	key.Spec.Rotation.Interval = of(shortest.interval)
	key.Spec.Token = keywrightv1alpha1.Token{MaxLifetime: of(shortest.lifetime), ClockSkew: of(shortest.skew)}
	key.Spec.Distribution.PropagationDelay = of(shortest.delay)
	before.create(t, key)
	another := func(c *cluster, than string) (now string) {
		t.Helper()
		until(t, "another key signs", 30*time.Second, func(ctx context.Context) bool {
			now = c.signingKey(ctx, name).Status.ActiveKeyID
			return now != "" && now != than
		})
		return now
	}
	leaked := another(before, another(before, ""))

	snapshot := t.TempDir()
	if err := before.ControlPlane.Etcd.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(snapshot, os.DirFS(before.ControlPlane.Etcd.DataDir)); err != nil {
		t.Fatal(err)
	}
	if err := before.ControlPlane.Etcd.Start(); err != nil {
		t.Fatal(err)
	}
	revoke(t, before, name, leaked)
	until(t, "the revocation", 60*time.Second, func(ctx context.Context) bool {
		file := before.published(ctx, "shop", name)
		return file != "" && !strings.Contains(file, leaked)
	})
	late := another(before, another(before, leaked)) // the one in between was the Standby of the snapshot
	controller.kill()

	// The disaster, and the cluster from the snapshot.
	after := newCluster(t, snapshot)
	if !strings.Contains(after.published(t.Context(), "shop", name), leaked) {
		t.Fatal("the snapshot has no file with the key: this tests nothing")
	}
	// "Name the keys that were revoked since in spec.revokedKeyIDs again. Then ask for a rotation."
	revoke(t, after, name, leaked)
	asked := time.Now().UTC().Format(time.RFC3339)
	patchKey(t, after, name, `{"metadata":{"annotations":{"`+contract.RotateAnnotation+`":"`+asked+`"}}}`)
	after.runWith(t, after.file("kubeconfig"), "--leader-elect=false")
	until(t, "the revoked key gone again", 20*time.Second, func(ctx context.Context) bool {
		file := after.published(ctx, "shop", name)
		return file != "" && !strings.Contains(file, leaked)
	})
	now := another(after, leaked)
	another(after, now)
	status := after.signingKey(t.Context(), name).Status
	if !meta.IsStatusConditionTrue(status.Conditions, keywrightv1alpha1.ConditionReady) || status.HandledRotateRequest == nil {
		t.Errorf("%+v", status)
	}
	if file := after.published(t.Context(), "shop", name); strings.Contains(file, leaked) || strings.Contains(file, late) {
		t.Errorf("a revoked key, or one made after the snapshot, is trusted:\n%s", file)
	}
	if !slices.ContainsFunc(status.Revocations, func(r keywrightv1alpha1.KeyRevocationStatus) bool { return r.KeyID == leaked && r.RemovedAt != nil }) {
		t.Errorf("the receipt says %+v", status.Revocations)
	}
}

// newCluster starts a separate cluster, whose etcd keeps its data in a directory.
func newCluster(t *testing.T, data string) *cluster {
	t.Helper()
	c := &cluster{directory: filepath.Join(t.TempDir(), "cluster")}
	c.BinaryAssetsDirectory = controlplanetest.Directory(t)
	c.ControlPlane.Etcd = &envtest.Etcd{DataDir: data}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	c.apply(t, "default")
	return c
}

func revoke(t *testing.T, c *cluster, name, kid string) {
	t.Helper()
	patchKey(t, c, name, `{"spec":{"revokedKeyIDs":["`+kid+`"]}}`)
}

func patchKey(t *testing.T, c *cluster, name, patch string) {
	t.Helper()
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	until(t, "the API server answers", 30*time.Second, func(ctx context.Context) bool {
		return c.admin.Patch(ctx, key, client.RawPatch("application/merge-patch+json", []byte(patch))) == nil
	})
}

package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/controllers/issuerca/issuercatest"
)

// peerAccount is the user of trust-manager.
const peerAccount = "system:serviceaccount:bench:trust-manager"

// peerName is the name of its Bundle, and of the ConfigMap that it writes into each namespace.
const peerName = "peer"

// BenchmarkPeers changes the distributed data of Keywright and of trust-manager in turn, on the same API server,
// against the floor of BenchmarkDistribution. trust-manager distributes certificates: a Bundle with one of them is
// about as large as a key set. TRUST_MANAGER is its binary, TRUST_MANAGER_CRDS the directory with its
// CustomResourceDefinitions: `make bench-peers` sets both.
func BenchmarkPeers(b *testing.B) {
	binary, crds := os.Getenv("TRUST_MANAGER"), os.Getenv("TRUST_MANAGER_CRDS")
	if binary == "" || crds == "" {
		b.Skip("TRUST_MANAGER and TRUST_MANAGER_CRDS name trust-manager: `make bench-peers` sets them")
	}
	d := newDistribution(b)
	d.applyKey()
	_, err := envtest.InstallCRDs(d.Config, envtest.CRDInstallOptions{Paths: []string{filepath.Join(crds, "trust.cert-manager.io_bundles.yaml")}})
	d.must(err)
	peer := d.startPeer(binary)
	d.must(d.admin.Create(b.Context(), d.bundle()))
	d.peerWrote(time.Time{})
	var ours, theirs []float64
	for b.Loop() {
		floor := d.runFloor().Seconds()
		took := d.change().Seconds()
		peerTook := d.changePeer().Seconds()
		ours, theirs = append(ours, took/floor), append(theirs, peerTook/floor)
		b.Logf("floor %.2f s, Keywright %.2f s, trust-manager %.2f s", floor, took, peerTook)
	}
	b.ReportMetric(median(ours), "x-floor")
	b.ReportMetric(median(theirs), "x-floor-trust-manager")
	b.ReportMetric(residentMiB(d.controller.Process.Pid), "MiB")
	b.ReportMetric(residentMiB(peer), "MiB-trust-manager")
}

// startPeer runs trust-manager with its permissions, without its webhook, and returns its process ID.
func (d *distribution) startPeer(binary string) int {
	d.Helper()
	all := []string{"*"}
	d.must(d.admin.Create(d.Context(), &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: peerName}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps", "secrets", "namespaces", "events"}, Verbs: all},
		{APIGroups: []string{"trust.cert-manager.io"}, Resources: all, Verbs: all},
	}}))
	d.must(d.admin.Create(d.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: peerName}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: peerName},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "bench", Name: "trust-manager"}},
	}))
	user, err := d.AddUser(envtest.User{Name: peerAccount, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:bench", "system:authenticated"}}, nil)
	d.must(err)
	kubeconfig, err := user.KubeConfig()
	d.must(err)
	directory := d.TempDir()
	certificate, key := issuercatest.New(d.B, peerName)
	for name, content := range map[string][]byte{"kubeconfig": kubeconfig, "tls.crt": []byte(certificate), "tls.key": []byte(key)} {
		d.must(os.WriteFile(filepath.Join(directory, name), content, 0o600))
	}
	port := func() string { _, p, _ := net.SplitHostPort(freeAddress(d.B)); return p }
	cmd := exec.CommandContext(d.Context(), binary, "--kubeconfig="+filepath.Join(directory, "kubeconfig"), "--leader-elect=false", "--trust-namespace=default",
		"--webhook-host=127.0.0.1", "--webhook-port="+port(), "--webhook-certificate-dir="+directory, "--metrics-port="+port(), "--readiness-probe-port="+port())
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	d.must(cmd.Start())
	d.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if d.Failed() {
			d.Logf("trust-manager said:\n%s", said.String())
		}
	})
	return cmd.Process.Pid
}

// bundle is a Bundle with a new certificate.
func (d *distribution) bundle() *unstructured.Unstructured {
	d.Helper()
	certificate, _ := issuercatest.New(d.B, peerName)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "trust.cert-manager.io/v1alpha1", "kind": "Bundle", "metadata": map[string]any{"name": peerName},
		"spec": map[string]any{
			"sources": []any{map[string]any{"inLine": certificate}},
			"target": map[string]any{
				"configMap":         map[string]any{"key": "ca.pem"},
				"namespaceSelector": map[string]any{"matchLabels": map[string]any{benchKey: "true"}},
			},
		},
	}}
}

// changePeer gives the Bundle another certificate, and returns the time until the last ConfigMap was written.
func (d *distribution) changePeer() time.Duration {
	d.Helper()
	stands := d.bundle()
	d.must(d.admin.Get(d.Context(), client.ObjectKeyFromObject(stands), stands))
	stands.Object["spec"] = d.bundle().Object["spec"]
	began := time.Now()
	d.must(d.admin.Update(d.Context(), stands))
	return d.peerWrote(began).Sub(began)
}

// peerWrote waits until trust-manager reports that the Bundle is synced, and returns when it wrote the last ConfigMap
// since then.
func (d *distribution) peerWrote(since time.Time) (last time.Time) {
	d.Helper()
	until(d.B, "distributed by trust-manager", 10*time.Minute, func(ctx context.Context) bool {
		stands := d.bundle()
		if d.admin.Get(ctx, client.ObjectKeyFromObject(stands), stands) != nil {
			return false
		}
		conditions, _, _ := unstructured.NestedSlice(stands.Object, "status", "conditions")
		return slices.ContainsFunc(conditions, func(c any) bool {
			condition, _ := c.(map[string]any)
			return condition["type"] == "Synced" && condition["status"] == "True" && condition["observedGeneration"] == stands.GetGeneration()
		})
	})
	written := map[string]bool{}
	for _, r := range d.audited(d.B, since) {
		if r.ObjectRef.Resource == "configmaps" && r.ObjectRef.Name == peerName && r.write() {
			written[r.ObjectRef.Namespace], last = true, r.StageTimestamp.Time
		}
	}
	if len(written) < d.n {
		d.Fatalf("trust-manager says that it is done, and wrote %d ConfigMaps", len(written))
	}
	return last
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/controlplanetest"
)

// issuers is how many TrustedIssuers the fetcher has.
const issuers = 100

// BenchmarkFetcherMemory runs the released fetcher with 100 issuers of three keys each, and reports the resident memory
// of its process after it has fetched all of them. The API server is a real one.
func BenchmarkFetcherMemory(b *testing.B) {
	assets, err := controlplanetest.Find()
	controlplanetest.Check(b, err)
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	e := environment{}
	e.BinaryAssetsDirectory = assets
	e.CRDInstallOptions.Paths = []string{filepath.Join("..", "..", "config", "crd")}
	config, err := e.Start()
	must(err)
	defer func() { _ = e.Stop() }()
	config.QPS = -1
	scheme, err := newScheme()
	must(err)
	admin, err := client.New(config, client.Options{Scheme: scheme})
	must(err)
	must(admin.Create(b.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: keyNamespace}}))
	user, err := e.AddUser(envtest.User{Name: "fetcher", Groups: []string{"system:masters"}}, nil)
	must(err)
	kubeconfig, err := user.KubeConfig()
	must(err)
	directory := b.TempDir()
	must(os.WriteFile(filepath.Join(directory, "kubeconfig"), kubeconfig, 0o600))
	binary := filepath.Join(directory, "fetcher")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	p := newProvider(b, set(newKey(b, "RS256", "one"), newKey(b, "RS256", "two"), newKey(b, "ES256", "three")))
	for i := range issuers {
		ti := &keywrightv1alpha1.TrustedIssuer{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("issuer-%d", i)}}
		ti.Spec.Issuer, ti.Spec.Keys = p.URL, keywrightv1alpha1.KeySource{Discovery: &keywrightv1alpha1.Discovery{}, CABundle: p.ca()}
		ti.Spec.Distribution.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
		must(admin.Create(b.Context(), ti))
	}
	cmd := exec.CommandContext(b.Context(), binary, "--metrics-bind-address=", "--health-probe-bind-address=", "--leader-elect=true")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(directory, "kubeconfig"), "GOMAXPROCS=2")
	must(cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var cm corev1.ConfigMap
		must(client.IgnoreNotFound(admin.Get(b.Context(), client.ObjectKey{Namespace: keyNamespace, Name: contract.FetchedConfigMap}, &cm)))
		if len(cm.Data) == issuers {
			break
		}
		if time.Now().After(end) {
			b.Fatalf("%d issuers were fetched", len(cm.Data))
		}
	}
	time.Sleep(5 * time.Second)
	for b.Loop() {
		b.ReportMetric(statusMiB(b, cmd.Process.Pid, "VmRSS:"), "MiB")
		b.ReportMetric(statusMiB(b, cmd.Process.Pid, "RssAnon:"), "own-MiB")
	}
}

// statusMiB reads a figure of a process, in MiB: VmRSS is all resident memory, RssAnon excludes the program's file.
func statusMiB(b *testing.B, pid int, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), name)
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

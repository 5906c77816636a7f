package doctor

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/issuertest"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// hostAddress returns an address of this host that is not a loopback one, which the API server refuses to connect to.
func hostAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("this host has no address but loopback, and the API server does not connect to that")
	return ""
}

// issuerPod returns a pod of the Deployment in config/issuer, with another key and port.
func issuerPod(t *testing.T, metrics int32) *corev1.Pod {
	t.Helper()
	text, err := os.ReadFile("../../../../config/issuer/deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var deployment appsv1.Deployment
	if err := yaml.UnmarshalStrict(bytes.ReplaceAll(text, []byte("main-signing-key"), []byte("stale-signing-key")), &deployment); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "keywright-system", Name: "stale-issuer"}, Spec: deployment.Spec.Template.Spec}
	for i := range pod.Spec.Containers[0].Ports {
		if port := &pod.Spec.Containers[0].Ports[i]; port.Name != "https" {
			port.ContainerPort = metrics
		}
	}
	return pod
}

// doctor reads the key of a real issuer through the API server. The files of the issuer do not change, as if its mount were broken: after
// a rotation there is a finding.
func TestDoctorFindsIssuersWithAnOldKey(t *testing.T) {
	host := hostAddress(t)
	plugintest.CreateSigningKey(t, "stale")
	_, _, metrics := issuertest.Start(t, "stale")
	pod := issuerPod(t, metrics)
	if err := plugintest.Admin().Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: host, PodIPs: []corev1.PodIP{{IP: host}}}
	if err := plugintest.Admin().Status().Update(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	const about = "pod keywright-system/stale-issuer"
	out, looked, _ := plugintest.Run(t, "", "doctor")
	if strings.Contains(out, about) || strings.Contains(looked, about) {
		t.Errorf("an issuer with the Active key is named:\n%s%s", out, looked)
	}
	if _, _, err := plugintest.Run(t, "", "rotate", "stale"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(out, about+": it signs with key ") {
		if time.Now().After(deadline) {
			t.Fatalf("an issuer with an old key is not found:\n%s%s", out, looked)
		}
		out, looked, _ = plugintest.Run(t, "", "doctor")
	}
	if err := plugintest.Admin().Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
}

// doctor reads from each kubelet, through the API server, how often it renews files. The server here is not a kubelet, but has the address
// and the response of one.
func TestDoctorReadsKubeletConfigurations(t *testing.T) {
	host := hostAddress(t)
	plugintest.CreateSigningKey(t, "kubelets") // with a propagationDelay of a second
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	kubelet := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/configz" {
			_, _ = w.Write([]byte(`{"kubeletconfig":{"syncFrequency":"2m0s","configMapAndSecretChangeDetectionStrategy":"Watch"}}`))
		}
	}))
	kubelet.Listener, kubelet.TLS = listener, &tls.Config{MinVersion: tls.VersionTLS12}
	kubelet.StartTLS()
	t.Cleanup(kubelet.Close)
	stuck, err := net.Listen("tcp", host+":0") // accepts connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stuck.Close() })
	addresses := map[string]net.Addr{"slow": listener.Addr(), "stuck": stuck.Addr()}
	for _, name := range []string{"slow", "silent", "stuck"} {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := plugintest.Admin().Create(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = plugintest.Admin().Delete(t.Context(), node) })
		if address := addresses[name]; address != nil {
			node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: host}}
			node.Status.DaemonEndpoints.KubeletEndpoint.Port = issuertest.Port(t, address)
			if err := plugintest.Admin().Status().Update(t.Context(), node); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, looked, _ := plugintest.Run(t, "", "doctor")
	if want := "SigningKey kubelets: its propagationDelay is 1s, and the kubelet of node slow needs up to 3m0s to renew a file"; !strings.Contains(out, want) {
		t.Errorf("want %q in\n%s", want, out)
	}
	for _, want := range []string{"could not check node silent: ", "nodes/stuck/proxy/configz?timeout=32s\": context deadline exceeded"} {
		if !strings.Contains(looked, want) {
			t.Errorf("want %q in\n%s", want, looked)
		}
	}
}

func TestParseSyncDelay(t *testing.T) {
	for in, want := range map[string]time.Duration{
		`{"kubeletconfig":{"syncFrequency":"1m0s"}}`: 90 * time.Second, `{"kubeletconfig":{"syncFrequency":"1s"}}`: 1500 * time.Millisecond,
		`{}`: 0, `{"kubeletconfig":{"syncFrequency":"-1s"}}`: 0, `[`: 0,
	} {
		got, err := parseSyncDelay([]byte(in))
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
}

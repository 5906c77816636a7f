package chart

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// keys is a namespace other than the one in config/, so that a name that does not follow it shows.
const keys = "keys"

// helm runs a command of a version of Helm on the release keywright of the cluster.
func (c *cluster) helm(t *testing.T, version, command string, args ...string) (string, error) {
	t.Helper()
	args = append([]string{command, "keywright"}, args...)
	return helm(t, version, append(args, "--kubeconfig", c.kubeconfig)...)
}

func (c *cluster) mustHelm(t *testing.T, version, command string, args ...string) string {
	t.Helper()
	out, err := c.helm(t, version, command, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A release lives: the previous chart is installed into a bare cluster, upgraded to this one, uninstalled, installed again and removed for
// good. Meanwhile the real controller works with the rights that the chart gave it, where the chart says.
func TestRelease(t *testing.T) {
	controller := filepath.Join(t.TempDir(), "controller")
	if _, err := run(t.Context(), "go", "build", "-C", root, "-o", controller, "./cmd/controller"); err != nil {
		t.Fatal(err)
	}
	for _, version := range helms {
		t.Run(version, func(t *testing.T) {
			c := start(t)
			c.kubernetes(t, controller, keys)
			c.mustHelm(t, version, "install", previous(t), "-n", keys, "--create-namespace")
			stop := c.runController(t, controller, keys) // it waits for its CRDs
			c.label(t, "default", "keywright.dev/verify", "true")
			ca := c.wantCertificate(t)
			served := c.secret(t, "keywright-issuer-tls")["tls.crt"]

			c.kubectl(t, "apply", "--server-side", "--force-conflicts", "-f", filepath.Join(chart, "crds"))
			c.mustHelm(t, version, "upgrade", chart, "-n", keys, "--set", "issuer.url=https://issuer.example.com:8443", "--set", "issuer.replicas=4",
				"--set", "injection.enabled=true")
			c.wantTrust(t)
			if c.wantCertificate(t, "issuer.example.com") != ca {
				t.Error("an upgrade makes another CA: every client would have to trust it")
			}
			if c.secret(t, "keywright-issuer-tls")["tls.crt"] == served {
				t.Error("an upgrade does not renew the certificate")
			}
			if n, _, _ := unstructured.NestedInt64(c.get(t, "apps/v1", "Deployment", keys, "keywright-issuer").Object, "spec", "replicas"); n != 4 {
				t.Errorf("an upgrade leaves %d replicas", n)
			}
			c.wantCA(t, keys, "default", "main", "keywright-issuer-ca")
			c.wantRefusedTwice(t, version)

			stop()
			c.mustHelm(t, version, "uninstall", "-n", keys)
			c.wantStopped(t)
			c.wantKept(t)
			c.wantInjected(t)
			if d := c.get(t, "apps/v1", "Deployment", keys, "keywright-issuer"); d != nil {
				t.Error("the issuer is still there")
			}

			notes := notesOf(t, c.mustHelm(t, version, "install", chart, "-n", keys))
			if c.wantCertificate(t) != ca {
				t.Error("installed again, it makes another CA")
			}
			c.hurry(t)
			c.moreSigningKeys(t)
			c.runController(t, controller, keys)
			c.wantTrust(t)
			c.wantCA(t, keys, "default", "main", "keywright-issuer-ca")
			c.removeAll(t, version, notes)
		})
	}
}

// notesOf are the notes in what Helm prints.
func notesOf(t *testing.T, out string) string {
	t.Helper()
	_, notes, ok := strings.Cut(out, "NOTES:\n")
	if !ok {
		t.Fatalf("no notes:\n%s", out)
	}
	return strings.TrimSpace(notes) + "\n"
}

func (c *cluster) secret(t *testing.T, name string) map[string]string {
	t.Helper()
	o := c.get(t, "v1", "Secret", keys, name)
	if o == nil {
		t.Fatalf("there is no Secret %s", name)
	}
	data, _, _ := unstructured.NestedStringMap(o.Object, "data")
	for k, v := range data {
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			t.Fatal(err)
		}
		data[k] = string(b)
	}
	return data
}

// wantCertificate wants a certificate that a client who trusts the published CA accepts for each name of the issuer, and returns the CA.
func (c *cluster) wantCertificate(t *testing.T, names ...string) string {
	t.Helper()
	files := c.secret(t, "keywright-issuer-tls")
	certificate, err := tls.X509KeyPair([]byte(files["tls.crt"]), []byte(files["tls.key"]))
	if err != nil {
		t.Fatal(err)
	}
	ca, _, _ := unstructured.NestedString(c.get(t, "v1", "ConfigMap", keys, "keywright-issuer-ca").Object, "data", "ca.crt")
	if strings.TrimSpace(ca) != strings.TrimSpace(c.secret(t, "keywright-issuer-ca")["tls.crt"]) {
		t.Error("the published CA is another")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		t.Fatalf("no CA:\n%s", ca)
	}
	for _, name := range append(names, "localhost", "keywright-issuer", "keywright-issuer.keys", "keywright-issuer.keys.svc", "keywright-issuer.keys.svc.cluster.local") {
		if _, err := certificate.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	return ca
}

// wantRefusedTwice wants a second release refused: its policies would keep the controller of the first from writing.
func (c *cluster) wantRefusedTwice(t *testing.T, version string) {
	t.Helper()
	_, err := helm(t, version, "install", "second", chart, "-n", "second", "--create-namespace", "--kubeconfig", c.kubeconfig)
	if err == nil || !strings.Contains(err.Error(), "cannot be imported into the current release") {
		t.Errorf("a second release: %v", err)
	}
}

// outlive are the objects that a release leaves behind, beside what the controller made.
func outlive() []*unstructured.Unstructured {
	of := func(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
		o.SetNamespace(namespace)
		o.SetName(name)
		return o
	}
	all := []*unstructured.Unstructured{
		of("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "signingkeys.keywright.dev"),
		of("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "revocations.keywright.dev"),
		of("keywright.dev/v1alpha1", "SigningKey", "", "main"),
		of("v1", "Secret", keys, "main-keyring"), of("v1", "Secret", keys, "main-signing-key"), of("v1", "Secret", keys, "keywright-issuer-ca"),
		of("v1", "ConfigMap", keys, "keywright-issuer-ca"), of("v1", "ConfigMap", "default", "keywright-jwks"),
	}
	for _, name := range []string{"jwks", "key-mounts", "key-namespace", "controller-token", "controller-touches-pods", "revocations", "issuer-ca"} {
		for _, kind := range []string{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
			all = append(all, of("admissionregistration.k8s.io/v1", kind, "", "keywright-"+name))
		}
	}
	for _, kind := range []string{"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"} {
		all = append(all, of("admissionregistration.k8s.io/v1", kind, "", "keywright-inject"))
	}
	return all
}

// wantInjected wants a pod that asks for the mount to get it.
func (c *cluster) wantInjected(t *testing.T) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "rescheduled", Labels: map[string]string{"keywright.dev/inject": "true"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}, AutomountServiceAccountToken: new(false)},
	}
	if err := c.admin.Create(t.Context(), pod, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if mounts := pod.Spec.Containers[0].VolumeMounts; len(mounts) != 1 || mounts[0].MountPath != "/var/run/keywright/jwks" {
		t.Errorf("a pod that asks for the keys mounts %v", mounts)
	}
}

func (c *cluster) wantKept(t *testing.T) {
	t.Helper()
	for _, o := range outlive() {
		if kept := c.get(t, o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()); kept == nil || kept.GetDeletionTimestamp() != nil {
			t.Errorf("helm uninstall deletes the %s", title(o))
		}
	}
}

// removeAll does what the notes say, in their order, and wants nothing left.
func (c *cluster) removeAll(t *testing.T, version, notes string) {
	t.Helper()
	_, removal, ok := strings.Cut(notes, "To\nremove everything")
	_, commands, _ := strings.Cut(removal, "\n\n")
	if !ok || strings.Count(commands, "\n") < 8 {
		t.Fatalf("the notes do not say how to remove all:\n%s", notes)
	}
	c.shell(t, version, commands)
	for _, o := range outlive() {
		if o.GetNamespace() != keys && c.get(t, o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName()) != nil {
			t.Errorf("%s is left", title(o))
		}
	}
	for _, kind := range []string{"clusterroles", "clusterrolebindings", "mutatingadmissionpolicies", "validatingadmissionpolicies"} {
		if left := c.kubectl(t, "get", kind, "-l", "app.kubernetes.io/name=keywright", "-o", "name"); left != "" {
			t.Errorf("left: %s", left)
		}
	}
	if left := c.kubectl(t, "get", "secrets", "-n", keys, "-o", "name"); strings.Contains(left, "main-") {
		t.Errorf("keys are left: %s", left)
	}
	if c.get(t, "v1", "Namespace", "", keys).GetDeletionTimestamp() == nil {
		t.Error("the namespace is not deleted")
	}
}

// shell runs commands as a person would who has a version of Helm, from the root of the repository. Nothing here runs pods or empties a
// namespace that is deleted, so what would wait for that does not wait.
func (c *cluster) shell(t *testing.T, version, commands string) {
	t.Helper()
	path := t.TempDir()
	for name, program := range map[string]string{"helm": filepath.Join(root, "bin", version), "kubectl": filepath.Join(c.BinaryAssetsDirectory, "kubectl")} {
		program, err := filepath.Abs(program)
		if err == nil {
			err = os.Symlink(program, filepath.Join(path, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	commands = strings.NewReplacer(" --wait", "", "kubectl delete namespace", "kubectl delete --wait=false namespace").Replace(commands)
	script := "set -ex\ncd " + root + "\nPATH=" + path + ":$PATH\nexport KUBECONFIG=" + c.kubeconfig + "\n" + commands
	if _, err := run(t.Context(), "timeout", "60", "sh", "-c", script); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), filepath.Join(c.BinaryAssetsDirectory, "kubectl"), append([]string{"--kubeconfig", c.kubeconfig}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *cluster) label(t *testing.T, namespace, label, value string) {
	t.Helper()
	c.kubectl(t, "label", "--overwrite", "namespace", namespace, fmt.Sprintf("%s=%s", label, value))
}

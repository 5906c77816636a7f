package status

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

// status and doctor report that no controller is running, and which was the last one.
func TestNoController(t *testing.T) {
	plugintest.CreateSigningKey(t, "absent")
	if _, errOut, err := plugintest.Run(t, "", "status", "absent"); err != nil || errOut != "" {
		t.Errorf("with a controller: %v %s", err, errOut)
	}
	fast := plugintest.NewCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}, func() time.Time { return time.Now().Add(time.Hour) })
	fast.SetArgs([]string{"status", "absent", "--kubeconfig", plugintest.Kubeconfig()})
	if err := fast.ExecuteContext(t.Context()); err != nil {
		t.Errorf("with a controller, and a clock that is fast: %v", err)
	}
	plugintest.StopController(t)
	want := func(says string, flags ...string) {
		t.Helper()
		out, errOut, err := plugintest.Run(t, "", append([]string{"status", "absent"}, flags...)...)
		if cli.ExitCode(t.Context(), err) != cli.ExitNegative || !strings.Contains(errOut, "No controller is running: "+says) || !strings.Contains(errOut, "kubectl get pods -") {
			t.Errorf("status: want %q: %v\n%s", says, err, errOut)
		}
		if !strings.Contains(out, "??  Ready") || strings.Contains(out, "ok  ") {
			t.Errorf("status says that all is well:\n%s", out)
		}
		out, _, err = plugintest.Run(t, "", append([]string{"doctor"}, flags...)...)
		if err == nil || !strings.Contains(out, "no controller is running: "+says) {
			t.Errorf("doctor: want %q: %v\n%s", says, err, out)
		}
	}
	want("the last one stopped, and released the Lease keywright-controller in namespace keywright-system at ")
	plugintest.HoldLease(t, "pod-1_abc", time.Now().Add(-time.Hour))
	want("pod-1_abc held the Lease keywright-controller in namespace keywright-system and has not renewed it since ")
	want("there is no Lease keywright-controller in namespace default", "--key-namespace", "default")
	if err := plugintest.Admin().Delete(t.Context(), plugintest.Lease("keywright-system")); err != nil {
		t.Fatal(err)
	}
	want("there is no Lease keywright-controller in any namespace")
}

// status and doctor report a change that no controller has reconciled, for any conditions.
func TestChangeThatNoControllerReconciled(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "unseen")
	plugintest.StopController(t)
	key.Spec.Rotation.Interval.Duration += time.Hour
	if err := plugintest.Admin().Update(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := plugintest.Run(t, "", "doctor"); !strings.Contains(out, "SigningKey unseen: its status is of generation 1, and its spec of generation 2") {
		t.Errorf("doctor:\n%s", out)
	}
	if out, _, _ := plugintest.Run(t, "", "status", "unseen"); !strings.Contains(out, "the status is of generation 1, and the spec of generation 2") {
		t.Errorf("status:\n%s", out)
	}
}

// The roles for SigningKeys allow to see whether a controller is running.
func TestViewerSeesTheController(t *testing.T) {
	plugintest.StartCluster(t)
	text, err := os.ReadFile("../../../../config/rbac/signingkey_roles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict([]byte(document), &role); err != nil {
			t.Fatal(err)
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: role.Name}},
		}
		if err := errors.Join(plugintest.Admin().Create(t.Context(), &role), plugintest.Admin().Create(t.Context(), binding)); err != nil {
			t.Fatal(err)
		}
	}
	plugintest.CreateSigningKey(t, "viewed")
	// Of two more users, one may only read SigningKeys, and the other also the Leases of the key namespace.
	keysOnly := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "keys-only"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, Verbs: []string{"get"},
	}}}
	one := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "keywright-system", Name: "leases"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"list"},
	}}}
	subjects := func(names ...string) (all []rbacv1.Subject) {
		for _, name := range names {
			all = append(all, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: "User", Name: name})
		}
		return all
	}
	for _, o := range []client.Object{
		keysOnly, one,
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "keys-only"}, Subjects: subjects("keys-only", "here"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "keys-only"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "keywright-system", Name: "leases"}, Subjects: subjects("here"), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "leases"}},
	} {
		if err := plugintest.Admin().Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for user, says := range map[string]string{
		"keywright-signingkey-viewer": "", "keywright-signingkey-editor": "", "here": "", "keys-only": "Cannot check whether a controller is running: ",
	} {
		kubeconfig, err := plugintest.KubeconfigFor(user, "system:authenticated")
		if err != nil {
			t.Fatal(err)
		}
		out, errOut, err := plugintest.RunAs(t, kubeconfig, "", "status", "viewed")
		if err != nil || !strings.HasPrefix(errOut, says) || (says == "") != (errOut == "") || !strings.Contains(out, "ok  Ready") {
			t.Errorf("%s: %v\n%s%s", user, err, out, errOut)
		}
	}
}

func TestMark(t *testing.T) {
	for _, c := range []struct {
		kind  string
		is    metav1.ConditionStatus
		stale bool
		want  string
	}{
		{"Ready", metav1.ConditionTrue, false, "ok"},
		{"Ready", metav1.ConditionFalse, false, "NO"},
		{"Ready", metav1.ConditionUnknown, false, "??"},
		{"Ready", metav1.ConditionTrue, true, "??"},
		{"Ready", metav1.ConditionFalse, true, "NO"},
		{"Stalled", metav1.ConditionTrue, false, "NO"},
		{"Stalled", metav1.ConditionFalse, false, "ok"},
	} {
		if got := mark(&metav1.Condition{Type: c.kind, Status: c.is}, c.stale); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwait "k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers"
)

// withoutController stops the controller until the test ends.
func withoutController(t *testing.T) {
	t.Helper()
	if err := stopController(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cluster.admin.Delete(context.Background(), leaseIn("keywright-system")) // what a test wrote there would be waited for
		if err := startController(); err != nil {
			t.Fatal(err)
		}
		awaitLease(t) // or the next test, which asks who works, finds nobody
	})
}

// awaitLease returns when a controller holds the Lease.
func awaitLease(t *testing.T) {
	t.Helper()
	err := apiwait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		lease := leaseIn("keywright-system")
		err := cluster.admin.Get(ctx, client.ObjectKeyFromObject(lease), lease)
		return err == nil && lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "", client.IgnoreNotFound(err)
	})
	if err != nil {
		t.Fatalf("no controller holds the Lease: %v", err)
	}
}

func leaseIn(namespace string) *coordinationv1.Lease {
	return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: controllers.LeaseName}}
}

// hold writes the Lease as a controller does that was then killed.
func hold(t *testing.T, holder string, renewed time.Time) {
	t.Helper()
	lease := leaseIn("keywright-system")
	if err := cluster.admin.Get(t.Context(), client.ObjectKeyFromObject(lease), lease); err != nil {
		t.Fatal(err)
	}
	lease.Spec.HolderIdentity, lease.Spec.LeaseDurationSeconds = new(holder), new(int32(15))
	lease.Spec.RenewTime = &metav1.MicroTime{Time: renewed}
	if err := cluster.admin.Update(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
}

// Whoever asks while no controller works is told so, and who worked last.
func TestAbsentController(t *testing.T) {
	signingKey(t, "absent")
	if _, errOut, err := try(t, "", "status", "absent"); err != nil || errOut != "" {
		t.Errorf("with a controller: %v %s", err, errOut)
	}
	fast := newCommand(genericiooptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}, func() time.Time { return time.Now().Add(time.Hour) })
	fast.SetArgs([]string{"status", "absent", "--kubeconfig", cluster.kubeconfig})
	if err := fast.ExecuteContext(t.Context()); err != nil {
		t.Errorf("with a controller, and a clock that is fast: %v", err)
	}
	withoutController(t)
	want := func(says string, flags ...string) {
		t.Helper()
		out, errOut, err := try(t, "", append([]string{"status", "absent"}, flags...)...)
		if exitCode(t.Context(), err) != exitNo || !strings.Contains(errOut, "No controller works: "+says) || !strings.Contains(errOut, "kubectl get pods -") {
			t.Errorf("status: want %q: %v\n%s", says, err, errOut)
		}
		if !strings.Contains(out, "??  Ready") || strings.Contains(out, "ok  ") {
			t.Errorf("status says that all is well:\n%s", out)
		}
		out, _, err = try(t, "", append([]string{"doctor"}, flags...)...)
		if err == nil || !strings.Contains(out, "no controller works: "+says) {
			t.Errorf("doctor: want %q: %v\n%s", says, err, out)
		}
	}
	want("the last one was stopped, and gave up the Lease keywright-controller in namespace keywright-system at ")
	hold(t, "pod-1_abc", time.Now().Add(-time.Hour))
	want("pod-1_abc held the Lease keywright-controller in namespace keywright-system and has not renewed it since ")
	want("there is no Lease keywright-controller in namespace default", "--key-namespace", "default")
	if err := cluster.admin.Delete(t.Context(), leaseIn("keywright-system")); err != nil {
		t.Fatal(err)
	}
	want("there is no Lease keywright-controller in any namespace")
}

// Two Leases are two Keywrights, of which one can work only.
func TestDoctorFindsTwoInstallations(t *testing.T) {
	const says = "there are Leases keywright-controller in the namespaces"
	if out, _, _ := try(t, "", "doctor"); strings.Contains(out, says) {
		t.Errorf("with one:\n%s", out)
	}
	other := leaseIn("default")
	if err := cluster.admin.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.admin.Delete(context.Background(), other) })
	if out, _, _ := try(t, "", "doctor"); !strings.Contains(out, says) {
		t.Errorf("with two:\n%s", out)
	}
	if out, _, _ := try(t, "", "doctor", "--key-namespace", "keywright-system"); strings.Contains(out, says) || strings.Contains(out, "no controller works") {
		t.Errorf("with one that is named:\n%s", out)
	}
}

// A change that no controller has looked at is seen in status and doctor, whatever the conditions say.
func TestChangeThatNobodyLookedAt(t *testing.T) {
	key := signingKey(t, "unseen")
	withoutController(t)
	key.Spec.Rotation.Interval.Duration += time.Hour
	if err := cluster.admin.Update(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if out, _, _ := try(t, "", "doctor"); !strings.Contains(out, "SigningKey unseen: its status is of generation 1, and it is at 2") {
		t.Errorf("doctor:\n%s", out)
	}
	if out, _, _ := try(t, "", "status", "unseen"); !strings.Contains(out, "generation 1 of it, and it is at 2") {
		t.Errorf("status:\n%s", out)
	}
}

// Whoever may view SigningKeys may see whether a controller works.
func TestViewerSeesTheController(t *testing.T) {
	withCluster(t)
	text, err := os.ReadFile("../../config/rbac/signingkey_roles.yaml")
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
		if err := errors.Join(cluster.admin.Create(t.Context(), &role), cluster.admin.Create(t.Context(), binding)); err != nil {
			t.Fatal(err)
		}
	}
	signingKey(t, "viewed")
	// Of two more, one may look at SigningKeys alone, and the other at the Leases of the key namespace, too.
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
		if err := cluster.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for user, says := range map[string]string{
		"keywright-signingkey-viewer": "", "keywright-signingkey-editor": "", "here": "", "keys-only": "Whether a controller works could not be asked: ",
	} {
		kubeconfig, err := kubeconfigOf(user, "system:authenticated")
		if err != nil {
			t.Fatal(err)
		}
		out, errOut, err := tryAs(t, kubeconfig, "", "status", "viewed")
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

// The doctor names a SigningKey that is in trouble, and not one that is on its way.
func TestKeyFindings(t *testing.T) {
	of := func(kind string, is metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: is, Reason: reason, Message: "message"}
	}
	for want, conditions := range map[string][]metav1.Condition{
		"": {of("Ready", metav1.ConditionTrue, "Signing")}, " ": {of("Ready", metav1.ConditionFalse, "Starting")}, "  ": {of("Ready", metav1.ConditionFalse, "Draining")},
		"Ready is Unknown, Pending: message":            {of("Ready", metav1.ConditionUnknown, "Pending")},
		"Ready is Unknown, ControllerStopped: message":  {of("Ready", metav1.ConditionUnknown, "ControllerStopped")},
		"Ready is False, KeysLost: message":             {of("Ready", metav1.ConditionFalse, "KeysLost")},
		"its CA is not distributed, CAInvalid: message": {of("Ready", metav1.ConditionTrue, "Signing"), of("CADistributed", metav1.ConditionFalse, "CAInvalid")},
		"it is stalled, KeysLost: message":              {of("Ready", metav1.ConditionFalse, "KeysLost"), of("Stalled", metav1.ConditionTrue, "KeysLost")},
		"it has no condition Ready":                     nil,
	} {
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "k"}}
		key.Status.Conditions = conditions
		want = strings.TrimSpace(want)
		if got := keyFindings(key); (want == "") != (len(got) == 0) || (want != "" && !strings.HasPrefix(got[0], "SigningKey k: "+want)) {
			t.Errorf("%+v: %q, want %q", conditions, got, want)
		}
	}
}

func TestIstioFinding(t *testing.T) {
	for reason, want := range map[string]bool{
		keywrightv1alpha1.ReasonIstioNotEnabled: true, keywrightv1alpha1.ReasonIstioForbidden: true, keywrightv1alpha1.ReasonInvalidSelector: true,
		keywrightv1alpha1.ReasonTargetsBehind: false, "": false,
	} {
		key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "k"}}
		key.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Signing"}}
		if reason != "" {
			key.Status.Conditions = append(key.Status.Conditions, metav1.Condition{Type: "IstioDistributed", Status: metav1.ConditionFalse, Reason: reason, Message: "message"})
		}
		got := keyFindings(key)
		if want != (len(got) == 1 && got[0] == "SigningKey k: proxies of Istio are not given its keys, "+reason+": message") || !want && len(got) != 0 {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

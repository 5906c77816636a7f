package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// kinds are Revocations of each kind, with the verb that each requires.
var kinds = map[string]struct {
	needs string
	spec  keywrightv1alpha1.RevocationSpec
}{
	"a token":    {"end-sessions", keywrightv1alpha1.RevocationSpec{TokenID: "a"}},
	"a session":  {"end-sessions", keywrightv1alpha1.RevocationSpec{SessionID: "a"}},
	"a subject":  {"end-sessions", keywrightv1alpha1.RevocationSpec{Subject: "a", IssuedBefore: &metav1.Time{Time: time.Unix(1, 0)}}},
	"a client":   {"end-all", keywrightv1alpha1.RevocationSpec{ClientID: "a", IssuedBefore: &metav1.Time{Time: time.Unix(1, 0)}}},
	"everything": {"end-all", keywrightv1alpha1.RevocationSpec{Everything: true, IssuedBefore: &metav1.Time{Time: time.Unix(1, 0)}}},
	"a key":      {"revoke-keys", keywrightv1alpha1.RevocationSpec{KeyID: strings.Repeat("A", 43)}},
}

func revocationOf(signingKey, kind string) *keywrightv1alpha1.Revocation {
	r := &keywrightv1alpha1.Revocation{Spec: kinds[kind].spec}
	r.GenerateName, r.Spec.SigningKey = "policy-", signingKey
	return r
}

// revoker returns a user who can create Revocations, and has at most one more verb on one SigningKey.
func (c *cluster) revoker(t *testing.T, name, verb, signingKey string) client.Client {
	t.Helper()
	rules := []rbacv1.PolicyRule{{APIGroups: []string{"keywright.dev"}, Resources: []string{"revocations"}, Verbs: []string{"create"}}}
	if verb != "" {
		rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{"keywright.dev"}, Resources: []string{"signingkeys"}, ResourceNames: []string{signingKey}, Verbs: []string{verb}})
	}
	c.create(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}, boundTo(name, name))
	return c.as(t, name)
}

func boundTo(role, user string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role + "-" + user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	}
}

// Each kind of Revocation requires its verb on the SigningKey: the permission to create Revocations is not enough.
func TestWhoMayEndWhat(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-revocations"
	nothing := c.revoker(t, "ends-nothing", "", "")
	c.inForce(t, policy, func(ctx context.Context) error {
		return nothing.Create(ctx, revocationOf("main", "a token"), client.DryRunAll)
	})
	for _, verb := range []string{"", "end-sessions", "end-all", "revoke-keys", "mount"} {
		as := c.revoker(t, "ends-by-"+verb+"x", verb, "main")
		for kind, k := range kinds {
			err := as.Create(t.Context(), revocationOf("main", kind), client.DryRunAll)
			switch {
			case k.needs == verb && err != nil:
				t.Errorf("whoever may %q ends not %s: %v", verb, kind, err)
			case k.needs != verb && (!refusedBy(err, policy) || !strings.Contains(err.Error(), fmt.Sprintf("requires the verb %q on SigningKey main: bind ClusterRole keywright-revoker", k.needs))):
				t.Errorf("whoever may %q ends %s: %v", verb, kind, err)
			}
			if err := as.Create(t.Context(), revocationOf("other", kind), client.DryRunAll); !refusedBy(err, policy) {
				t.Errorf("whoever may %q main ends %s of another SigningKey: %v", verb, kind, err)
			}
		}
	}
	for kind := range kinds {
		if err := c.admin.Create(t.Context(), revocationOf("main", kind), client.DryRunAll); err != nil {
			t.Errorf("an admin does not end %s: %v", kind, err)
		}
		if err := c.as(t, "tenant").Create(t.Context(), revocationOf("main", kind), client.DryRunAll); !apierrors.IsForbidden(err) {
			t.Errorf("whoever has no right ends %s: %v", kind, err)
		}
	}
	both := revocationOf("main", "a token")
	both.Spec.KeyID = strings.Repeat("A", 43)
	if err := c.revoker(t, "ends-both", "end-sessions", "main").Create(t.Context(), both, client.DryRunAll); err == nil {
		t.Error("a token and a key at once are accepted")
	}
}

// People on call can create all kinds of Revocations, and see and delete them. They cannot change a SigningKey.
func TestPeopleOnCall(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	c.create(t, boundTo("keywright-revoker", "oncall"))
	as := c.as(t, "oncall")
	for kind := range kinds {
		r := revocationOf("main", kind)
		until(t, "the role in force", 30*time.Second, func(ctx context.Context) bool { return as.Create(ctx, r) == nil })
		label := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))
		for what, err := range map[string]error{"update": as.Update(t.Context(), r), "patch": as.Patch(t.Context(), r, label), "write the status of": as.Status().Update(t.Context(), r)} {
			if !apierrors.IsForbidden(err) {
				t.Errorf("people on call %s a Revocation of %s: %v", what, kind, err)
			}
		}
		if err := as.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
			t.Errorf("people on call do not see %s: %v", kind, err)
		}
		if err := as.Delete(t.Context(), r); err != nil {
			t.Errorf("people on call do not tidy up %s: %v", kind, err)
		}
	}
	lease := &coordinationv1.Lease{}
	if err := as.Get(t.Context(), client.ObjectKey{Namespace: keyNamespace, Name: "keywright-controller"}, lease); apierrors.IsForbidden(err) {
		t.Errorf("people on call are not told whether a controller works: %v", err)
	}
	if err := as.List(t.Context(), &keywrightv1alpha1.SigningKeyList{}); err != nil {
		t.Errorf("people on call do not see SigningKeys: %v", err)
	}
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	edit := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"revokedKeyIDs":[]}}`))
	for what, err := range map[string]error{
		"change a SigningKey": as.Patch(t.Context(), key, edit), "delete a SigningKey": as.Delete(t.Context(), key), "read Secrets": as.List(t.Context(), &corev1.SecretList{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("people on call %s: %v", what, err)
		}
	}
	if err := c.as(t, "viewer").List(t.Context(), &keywrightv1alpha1.RevocationList{}); !apierrors.IsForbidden(err) {
		t.Errorf("anybody sees who was thrown out: %v", err)
	}
}

// The sample of a logout button can revoke tokens, sessions and subjects of one SigningKey, and nothing else, and read
// nothing.
func TestLogoutButton(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	if err := client.IgnoreAlreadyExists(c.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})); err != nil {
		t.Fatal(err)
	}
	kubectl := filepath.Join(c.BinaryAssetsDirectory, "kubectl")
	sample := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", c.file("admin.kubeconfig"), "apply", "-f", "../../config/samples/logout-button.yaml")
	if out, err := sample.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	as := c.as(t, "system:serviceaccount:shop:shop", "system:serviceaccounts", "system:serviceaccounts:shop")
	c.inForce(t, "keywright-revocations", func(ctx context.Context) error {
		return as.Create(ctx, revocationOf("other", "a token"), client.DryRunAll)
	})
	for kind, k := range kinds {
		err := as.Create(t.Context(), revocationOf("main", kind), client.DryRunAll)
		if allowed := k.needs == "end-sessions"; allowed != (err == nil) || (!allowed && !refusedBy(err, "keywright-revocations")) {
			t.Errorf("the button ends %s: %v", kind, err)
		}
	}
	r := revocationOf("main", "a subject")
	if err := as.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"read a Revocation":   as.Get(t.Context(), client.ObjectKeyFromObject(r), r.DeepCopy()),
		"list Revocations":    as.List(t.Context(), &keywrightv1alpha1.RevocationList{}),
		"delete a Revocation": as.Delete(t.Context(), r), "change a Revocation": as.Update(t.Context(), r), "write a receipt": as.Status().Update(t.Context(), r),
		"read the SigningKey": as.Get(t.Context(), client.ObjectKey{Name: "main"}, &keywrightv1alpha1.SigningKey{}),
		"read Secrets":        as.List(t.Context(), &corev1.SecretList{}),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("the button may %s: %v", what, err)
		}
	}
}

package main

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

func (c *cluster) signingKey(ctx context.Context, name string) (key keywrightv1alpha1.SigningKey) {
	_ = c.admin.Get(ctx, client.ObjectKey{Name: name}, &key)
	return key
}

func ready(key *keywrightv1alpha1.SigningKey) bool {
	return meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionReady) &&
		meta.IsStatusConditionTrue(key.Status.Conditions, keywrightv1alpha1.ConditionDistributed) &&
		key.Status.Targets.Selected > 0
}

func (c *cluster) published(ctx context.Context, namespace, name string) string {
	var cm corev1.ConfigMap
	_ = c.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: contract.JWKSConfigMap}, &cm)
	return cm.Data[name+contract.JWKSSuffix]
}

// The sample of the repository, with the controller process and only the permissions of config/rbac: it works
// within seconds, makes no requests in steady state, and survives a kill.
func TestSample(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	began := time.Now()
	c.apply(t, "default")
	controller := c.run(t)
	until(t, "leading", 20*time.Second, func(context.Context) bool {
		return strings.Contains(controller.said(), "Successfully acquired lease")
	})
	c.apply(t, "samples")
	applied := time.Now()
	until(t, "Ready", 20*time.Second, func(ctx context.Context) bool {
		key := c.signingKey(ctx, "main")
		return ready(&key)
	})
	t.Logf("Ready %v after kubectl apply", time.Since(applied).Round(time.Millisecond))
	for _, name := range []string{"main" + contract.KeyringSuffix, "main" + contract.SigningKeySuffix} {
		var s corev1.Secret
		if err := c.admin.Get(t.Context(), client.ObjectKey{Namespace: keyNamespace, Name: name}, &s); err != nil {
			t.Error(err)
		}
	}
	active := c.signingKey(t.Context(), "main").Status.ActiveKeyID
	if !strings.Contains(c.published(t.Context(), "shop", "main"), active) {
		t.Errorf("the file in shop lacks the Active key %s", active)
	}
	t.Run("ProbesAndMetrics", func(t *testing.T) { showsProbesAndMetrics(t, controller) })
	t.Run("SteadyStateIsSilent", func(t *testing.T) { c.steadyStateIsSilent(t) })
	t.Run("Kill", func(t *testing.T) { c.survivesAKill(t, controller, active) })
	t.Run("Revoke", func(t *testing.T) { c.revokes(t, active) })
	t.Run("FinalizerIsPutBack", func(t *testing.T) { c.putsTheFinalizerBack(t) })
	t.Run("NothingWasForbidden", func(t *testing.T) {
		for _, r := range c.audited(t, began) {
			if r.ResponseStatus.Code == 403 {
				t.Errorf("the controller asked for what it may not: %s", r)
			}
		}
	})
}

// putsTheFinalizerBack removes the finalizer, like kubectl replace.
func (c *cluster) putsTheFinalizerBack(t *testing.T) {
	c.run(t)
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: "main"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	if err := c.admin.Patch(t.Context(), key, patch); err != nil || len(key.Finalizers) != 0 {
		t.Fatalf("%v: %v", err, key.Finalizers)
	}
	until(t, "the finalizer is back", 20*time.Second, func(ctx context.Context) bool {
		return len(c.signingKey(ctx, "main").Finalizers) == 1
	})
}

func showsProbesAndMetrics(t *testing.T, controller *process) {
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := get(t, controller.probes+path); status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	_, body := get(t, controller.metrics+"/metrics")
	for _, line := range []string{
		`keywright_keys{signingkey="main",state="Active"} 1`, `keywright_keys{signingkey="main",state="Standby"} 1`,
		`keywright_signingkey_condition{condition="Ready",signingkey="main"} 1`,
		`keywright_targets{signingkey="main"} 2`, `keywright_targets_in_sync{signingkey="main"} 2`,
		`keywright_key_moves_total{move="Activate",reason="FirstKey",signingkey="main"} 1`,
		`keywright_configmap_writes_total{operation="create",result="ok"} `, // applying an object again that was just created has no effect
	} {
		if !strings.Contains(body, line) {
			t.Errorf("/metrics does not say %s", line)
		}
	}
}

// steadyStateIsSilent counts for a minute the requests of the controller without changes.
func (c *cluster) steadyStateIsSilent(t *testing.T) {
	settled, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	<-settled.Done()
	since := time.Now()
	quiet, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	<-quiet.Done()
	leases := 0
	for _, r := range c.audited(t, since) {
		if r.write() {
			t.Errorf("a write: %s", r)
		} else if r.ObjectRef.Resource == "leases" {
			leases++
		}
	}
	if leases < 10 {
		t.Errorf("only %d requests for the Lease were seen: the audit log does not work", leases)
	}
}

func (c *cluster) survivesAKill(t *testing.T, controller *process, active string) {
	controller.kill()
	again := c.run(t)
	var late corev1.Namespace
	late.Name, late.Labels = "late", map[string]string{"keywright.dev/verify": "true"}
	if err := c.admin.Create(t.Context(), &late); err != nil {
		t.Fatal(err)
	}
	until(t, "a file in a namespace that was born while no controller ran", 20*time.Second, func(ctx context.Context) bool {
		return strings.Contains(c.published(ctx, "late", "main"), active)
	})
	if got := c.signingKey(t.Context(), "main").Status.ActiveKeyID; got != active {
		t.Errorf("after the restart %s signs, before %s", got, active)
	}
	if strings.Contains(again.said(), `"level":"ERROR"`) {
		t.Errorf("errors in the log:\n%s", again.said())
	}
	again.kill()
}

func (c *cluster) revokes(t *testing.T, active string) {
	c.run(t)
	key := c.signingKey(t.Context(), "main")
	key.Spec.RevokedKeyIDs = []string{active}
	if err := c.admin.Update(t.Context(), &key); err != nil {
		t.Fatal(err)
	}
	until(t, "the revoked key out of every file", 20*time.Second, func(ctx context.Context) bool {
		shop, late := c.published(ctx, "shop", "main"), c.published(ctx, "late", "main")
		return shop != "" && shop == late && !strings.Contains(shop, active)
	})
	until(t, "another key signs", 5*time.Second, func(ctx context.Context) bool {
		now := c.signingKey(ctx, "main").Status.ActiveKeyID
		return now != "" && now != active
	})
}

// All requests that the controller must not be able to make are refused.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	scheme := c.admin.Scheme()
	as, err := client.New(c.asController.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := metav1.ObjectMeta{Namespace: "default", Name: "other"}
	jwks := metav1.ObjectMeta{Namespace: "default", Name: contract.JWKSConfigMap}
	inKeys := metav1.ObjectMeta{Namespace: keyNamespace, Name: "other"}
	for what, try := range map[string]func(context.Context) error{
		"read a Secret elsewhere": func(ctx context.Context) error {
			return as.Get(ctx, client.ObjectKey{Namespace: "default", Name: "other"}, &corev1.Secret{})
		},
		"list Secrets everywhere":  func(ctx context.Context) error { return as.List(ctx, &corev1.SecretList{}) },
		"write a Secret elsewhere": func(ctx context.Context) error { return as.Create(ctx, &corev1.Secret{ObjectMeta: elsewhere}) },
		"list all ConfigMaps":      func(ctx context.Context) error { return as.List(ctx, &corev1.ConfigMapList{}) },
		"write another ConfigMap":  func(ctx context.Context) error { return as.Create(ctx, &corev1.ConfigMap{ObjectMeta: elsewhere}) },
		"update another ConfigMap": func(ctx context.Context) error { return as.Update(ctx, &corev1.ConfigMap{ObjectMeta: elsewhere}) },
		"write a ConfigMap of the key namespace": func(ctx context.Context) error {
			return as.Create(ctx, &corev1.ConfigMap{ObjectMeta: inKeys})
		},
		"update a ConfigMap of the key namespace": func(ctx context.Context) error {
			return as.Update(ctx, &corev1.ConfigMap{ObjectMeta: inKeys})
		},
		"delete a ConfigMap of the key namespace": func(ctx context.Context) error {
			return as.Delete(ctx, &corev1.ConfigMap{ObjectMeta: inKeys})
		},
		"read another ConfigMap": func(ctx context.Context) error {
			return as.Get(ctx, client.ObjectKey{Namespace: "kube-system", Name: "extension-apiserver-authentication"}, &corev1.ConfigMap{})
		},
		"create a pod": func(ctx context.Context) error { return as.Create(ctx, &corev1.Pod{ObjectMeta: inKeys}) },
		"create a namespace": func(ctx context.Context) error {
			return as.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "new"}})
		},
		"create a SigningKey": func(ctx context.Context) error {
			k := keywrightv1alpha1.SigningKey{}
			k.Name = "new"
			return as.Create(ctx, &k)
		},
		"delete a SigningKey": func(ctx context.Context) error {
			k := keywrightv1alpha1.SigningKey{}
			k.Name = "main"
			return as.Delete(ctx, &k)
		},
		"create a service account": func(ctx context.Context) error { return as.Create(ctx, &corev1.ServiceAccount{ObjectMeta: inKeys}) },
		"read nodes":               func(ctx context.Context) error { return as.List(ctx, &corev1.NodeList{}) },
	} {
		if err := try(t.Context()); !apierrors.IsForbidden(err) {
			t.Errorf("it may %s: %v", what, err)
		}
	}
	// The same client can make the requests that the controller needs, or the test would prove nothing.
	if err := as.Get(t.Context(), client.ObjectKeyFromObject(&corev1.ConfigMap{ObjectMeta: jwks}), &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
		t.Errorf("it may not read its own ConfigMap: %v", err)
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	out, _ := exec.Command(binary, "--help").CombinedOutput()
	for _, flag := range []string{"-kubeconfig", "-key-namespace", "-metrics-bind-address", "-health-probe-bind-address", "-leader-elect", "-verbose"} {
		if !slices.ContainsFunc(strings.Split(string(out), "\n"), func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), flag) }) {
			t.Errorf("--help does not name %s:\n%s", flag, out)
		}
	}
}

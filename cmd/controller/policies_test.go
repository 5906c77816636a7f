package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/keywright/keywright/api/contract"
)

// as returns a client of a user.
func (c *cluster) as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	added, err := c.AddUser(envtest.User{Name: user, Groups: append(groups, "system:authenticated")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	as, err := client.New(added.Config(), client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// deployer returns a user with all permissions in every namespace, except to mount a signing key.
func (c *cluster) deployer(t *testing.T) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "deployer"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"", "apps", "batch"}, Resources: []string{"*"}, Verbs: []string{"*"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "deployer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "deployer"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "deployer"}},
	}
	for _, o := range []client.Object{role, binding} {
		if err := client.IgnoreAlreadyExists(c.admin.Create(t.Context(), o)); err != nil {
			t.Fatal(err)
		}
	}
	return c.as(t, "deployer")
}

// refusedBy reports whether a request was refused by a policy, and by nothing else.
func refusedBy(err error, policy string) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+policy+"'")
}

func (c *cluster) inForce(t *testing.T, policy string, try func(ctx context.Context) error) {
	t.Helper()
	until(t, "the policy "+policy+" in force", 30*time.Second, func(ctx context.Context) bool { return refusedBy(try(ctx), policy) })
}

// unguard removes the policy, so that a test can write ConfigMaps like an attacker who bypasses it.
func (c *cluster) unguard(t *testing.T) {
	t.Helper()
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: contract.JWKSConfigMap}}
	if err := client.IgnoreNotFound(c.admin.Delete(t.Context(), binding)); err != nil {
		t.Fatal(err)
	}
	until(t, "the policy out of force", 30*time.Second, func(ctx context.Context) bool {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: contract.JWKSConfigMap}}
		return c.admin.Create(ctx, cm, client.DryRunAll) == nil
	})
}

// Only the controller can write the ConfigMap with the keys that pods trust; even an admin cannot.
func TestOnlyTheControllerWritesTrust(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-jwks"
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "guarded"}}
	c.create(t, ns)
	jwks := func() *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "guarded", Name: contract.JWKSConfigMap}}
	}
	other := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "guarded", Name: "other"}}
	deployer := c.deployer(t)
	c.inForce(t, policy, func(ctx context.Context) error { return deployer.Create(ctx, jwks(), client.DryRunAll) })
	controller, err := client.New(c.asController.Config(), client.Options{Scheme: c.admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	create := client.RawPatch("application/apply-patch+yaml", []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"keywright-jwks"},"data":{"a":"b"}}`))
	if err := controller.Patch(t.Context(), jwks(), create, client.FieldOwner("test")); err != nil {
		t.Fatalf("the controller cannot create it: %v", err)
	}
	if err := deployer.Create(t.Context(), other); err != nil {
		t.Fatalf("somebody else cannot create another ConfigMap: %v", err)
	}
	edit := client.RawPatch("application/merge-patch+json", []byte(`{"data":{"evil":"x"}}`))
	for who, as := range map[string]client.Client{"a deployer": deployer, "an admin": c.admin, "the namespace controller": c.as(t, "system:serviceaccount:kube-system:namespace-controller", "system:masters")} {
		for what, err := range map[string]error{
			"create it":  as.Create(t.Context(), jwks()),
			"edit it":    as.Patch(t.Context(), jwks(), edit),
			"apply it":   as.Patch(t.Context(), jwks(), create, client.FieldOwner("evil"), client.ForceOwnership),
			"replace it": as.Update(t.Context(), jwks()),
		} {
			if !refusedBy(err, policy) {
				t.Errorf("%s may %s: %v", who, what, err)
			}
		}
	}
	for what, err := range map[string]error{
		"delete it": deployer.Delete(t.Context(), jwks()), "delete it as an admin": c.admin.Delete(t.Context(), jwks()),
		"delete all ConfigMaps": deployer.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace("guarded")),
	} {
		if !refusedBy(err, policy) {
			t.Errorf("somebody else may %s: %v", what, err)
		}
	}
	for _, who := range []string{"namespace-controller", "generic-garbage-collector"} {
		as := c.as(t, "system:serviceaccount:kube-system:"+who, "system:masters")
		if err := as.Delete(t.Context(), jwks()); err != nil {
			t.Errorf("the %s cannot delete it, and no namespace would ever end: %v", who, err)
		}
		if err := controller.Patch(t.Context(), jwks(), create, client.FieldOwner("test")); err != nil {
			t.Fatal(err)
		}
	}
	if err := controller.Delete(t.Context(), jwks()); err != nil {
		t.Errorf("the controller cannot delete it: %v", err)
	}
}

// templates has an object of each kind that creates pods, around the spec of a pod.
var templates = map[string]string{
	"Pod":                   "apiVersion: v1\nkind: Pod\nspec: %s",
	"PodTemplate":           "apiVersion: v1\nkind: PodTemplate\ntemplate: {metadata: {labels: {a: b}}, spec: %s}",
	"ReplicationController": "apiVersion: v1\nkind: ReplicationController\nspec: {selector: {a: b}, template: {metadata: {labels: {a: b}}, spec: %s}}",
	"Deployment":            "apiVersion: apps/v1\nkind: Deployment\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: %s}}",
	"ReplicaSet":            "apiVersion: apps/v1\nkind: ReplicaSet\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: %s}}",
	"StatefulSet":           "apiVersion: apps/v1\nkind: StatefulSet\nspec: {serviceName: x, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: %s}}",
	"DaemonSet":             "apiVersion: apps/v1\nkind: DaemonSet\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: %s}}",
	"Job":                   "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: %s}}",
	"CronJob":               "apiVersion: batch/v1\nkind: CronJob\nspec: {schedule: '* * * * *', jobTemplate: {spec: {template: {spec: %s}}}}",
}

// references are all ways in which a pod can refer to a Secret.
var references = map[string]string{
	"a volume":         "volumes: [{name: v, secret: {secretName: %s}}]",
	"a projection":     "volumes: [{name: v, projected: {sources: [{configMap: {name: a}}, {secret: {name: %s}}]}}]",
	"a variable":       "env: [{name: A, value: b}, {name: B, valueFrom: {secretKeyRef: {name: %s, key: k}}}]",
	"all variables":    "envFrom: [{configMapRef: {name: a}}, {secretRef: {name: %s}}]",
	"an init variable": "init: [{name: B, valueFrom: {secretKeyRef: {name: %s, key: k}}}]",
	"a driver":         "volumes: [{name: v, csi: {driver: d, nodePublishSecretRef: {name: %s}}}]",
}

func workload(t *testing.T, kind, reference, secret string) *unstructured.Unstructured {
	t.Helper()
	strict := "allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}"
	container := "name: c, image: i, securityContext: {" + strict + "}"
	volumes, init := "", ""
	field := fmt.Sprintf(references[reference], secret)
	switch {
	case strings.HasPrefix(field, "volumes"):
		volumes = ", " + field
	case strings.HasPrefix(field, "init"):
		init = ", initContainers: [{" + strings.Replace(container, "name: c", "name: i", 1) + ", env" + strings.TrimPrefix(field, "init") + "}]"
	default:
		container += ", " + field
	}
	restart := ""
	if kind == "Job" || kind == "CronJob" {
		restart = ", restartPolicy: Never"
	}
	text := fmt.Sprintf(templates[kind], "{containers: [{"+container+"}]"+init+volumes+restart+"}")
	var object map[string]any
	if err := yaml.Unmarshal([]byte(text), &object); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetNamespace(keyNamespace)
	u.SetGenerateName("policy-")
	return u
}

// In the key namespace, no workload can refer to a keyring. Only a user who may mount a SigningKey can create one that
// refers to its signing-key Secret, for any kind of workload and reference.
func TestOnlyWhoMayMountGetsTheKey(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-key-mounts"
	deployer := c.deployer(t)
	mounter := c.deployerWhoMayMount(t, "main")
	job := c.as(t, "system:serviceaccount:kube-system:replicaset-controller", "system:masters")
	c.inForce(t, policy, func(ctx context.Context) error {
		return deployer.Create(ctx, workload(t, "Pod", "a volume", "main-signing-key"), client.DryRunAll)
	})
	for kind := range templates {
		for reference := range references {
			try := func(as client.Client, secret string) error {
				return as.Create(t.Context(), workload(t, kind, reference, secret), client.DryRunAll)
			}
			what := fmt.Sprintf("%s of a %s", reference, kind)
			if err := try(deployer, "other"); err != nil {
				t.Errorf("%s is refused another Secret: %v", what, err)
			}
			if err := try(deployer, "main-signing-key"); !refusedBy(err, policy) {
				t.Errorf("%s may refer to the signing key: %v", what, err)
			}
			for who, as := range map[string]client.Client{"a mounter": mounter, "an admin": c.admin, "the controller of ReplicaSets": job} {
				if err := try(as, "main-keyring"); !refusedBy(err, policy) {
					t.Errorf("%s of %s may refer to the keyring: %v", what, who, err)
				}
				if err := try(as, "main-signing-key"); err != nil {
					t.Errorf("%s of %s is refused: %v", what, who, err)
				}
			}
			if err := try(mounter, "another-signing-key"); !refusedBy(err, policy) {
				t.Errorf("%s may refer to the signing key of another name: %v", what, err)
			}
		}
	}
	issuer := workload(t, "Deployment", "a volume", "main-signing-key")
	c.create(t, issuer)
	t.Cleanup(func() { _ = c.admin.Delete(context.WithoutCancel(t.Context()), issuer) })
	image := client.RawPatch("application/json-patch+json", []byte(`[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"evil"}]`))
	if err := deployer.Patch(t.Context(), issuer, image); !refusedBy(err, policy) {
		t.Errorf("whoever may not mount may change the image of one who does: %v", err)
	}
	elsewhere := workload(t, "Pod", "a volume", "main-signing-key")
	elsewhere.SetNamespace("default")
	if err := deployer.Create(t.Context(), elsewhere, client.DryRunAll); err != nil {
		t.Errorf("a Secret of that name in another namespace is none of ours: %v", err)
	}
}

// Only a user who may mount every SigningKey can run a pod as the controller, or get a token of it, since both can read
// every keyring.
func TestOnlyWhoMayMountAllActsAsTheController(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	one := c.deployerWhoMayMount(t, "main")
	asController := func(kind string) *unstructured.Unstructured {
		w := workload(t, kind, "a volume", "other")
		spec := w.Object["spec"].(map[string]any)
		if kind != "Pod" {
			spec = spec["template"].(map[string]any)["spec"].(map[string]any)
		}
		spec["serviceAccountName"] = "keywright-controller"
		return w
	}
	c.inForce(t, "keywright-key-mounts", func(ctx context.Context) error { return one.Create(ctx, asController("Pod"), client.DryRunAll) })
	for _, kind := range []string{"Pod", "Deployment", "Job"} {
		if err := one.Create(t.Context(), asController(kind), client.DryRunAll); !refusedBy(err, "keywright-key-mounts") {
			t.Errorf("whoever may mount one key may run a %s as the controller: %v", kind, err)
		}
		if err := c.admin.Create(t.Context(), asController(kind), client.DryRunAll); err != nil {
			t.Errorf("an admin cannot run a %s as the controller: %v", kind, err)
		}
	}
	kubelet := c.kubeletWithTokens(t)
	c.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: "other"}})
	token := func(ctx context.Context, as client.Client, account string) error {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: keyNamespace, Name: account}}
		return as.SubResource("token").Create(ctx, sa, &authenticationv1.TokenRequest{})
	}
	const policy = "keywright-controller-token"
	c.inForce(t, policy, func(ctx context.Context) error { return token(ctx, one, "keywright-controller") })
	for who, as := range map[string]client.Client{"a kubelet": kubelet, "an admin": c.admin} {
		if err := token(t.Context(), as, "keywright-controller"); err != nil {
			t.Errorf("%s gets no token of the controller: %v", who, err)
		}
	}
	if err := token(t.Context(), one, "other"); err != nil {
		t.Errorf("a token of another account is refused: %v", err)
	}
}

// kubeletWithTokens returns a node, which can create tokens for its pods.
func (c *cluster) kubeletWithTokens(t *testing.T) client.Client {
	t.Helper()
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "kubelet-tokens"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"serviceaccounts/token"}, Verbs: []string{"create"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "system:nodes"}},
	}
	for _, o := range []client.Object{role, binding} {
		if err := client.IgnoreAlreadyExists(c.admin.Create(t.Context(), o)); err != nil {
			t.Fatal(err)
		}
	}
	return c.as(t, "system:node:one", "system:nodes")
}

// deployerWhoMayMount returns a deployer who can also mount one SigningKey.
func (c *cluster) deployerWhoMayMount(t *testing.T, signingKey string) client.Client {
	t.Helper()
	c.deployer(t) // creates the role
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "mounts-" + signingKey}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{contract.Group}, Resources: []string{"signingkeys"}, ResourceNames: []string{signingKey}, Verbs: []string{"mount"},
	}}}
	bind := func(role string) *rbacv1.ClusterRoleBinding {
		return &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "mounter-" + role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "mounter"}},
		}
	}
	for _, o := range []client.Object{role, bind("deployer"), bind(role.Name)} {
		if err := client.IgnoreAlreadyExists(c.admin.Create(t.Context(), o)); err != nil {
			t.Fatal(err)
		}
	}
	return c.as(t, "mounter")
}

// No user can open a shell in a pod with a private key.
func TestExecIntoPodsOfTheKeyNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	c := borrow(t)
	c.apply(t, "default")
	const policy = "keywright-key-namespace"
	inside := pod(keyNamespace, "closed", other)
	c.create(t, inside)
	t.Cleanup(func() { _ = c.admin.Delete(context.WithoutCancel(t.Context()), inside) })
	debug := client.RawPatch("application/strategic-merge-patch+json", []byte(
		`{"spec":{"ephemeralContainers":[{"name":"debug","image":"i","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`))
	c.inForce(t, policy, func(ctx context.Context) error {
		return c.admin.SubResource("ephemeralcontainers").Patch(ctx, inside, debug)
	})
	for _, subresource := range []string{"exec", "attach"} {
		if err := c.connect(t, keyNamespace, "closed", subresource); !refusedBy(err, policy) {
			t.Errorf("an admin may %s: %v", subresource, err)
		}
	}
	outside := pod("default", "open", other)
	c.create(t, outside)
	if err := c.connect(t, "default", "open", "exec"); refusedBy(err, policy) {
		t.Errorf("pods of other namespaces are closed too: %v", err)
	}
}

// connect connects to a pod, like kubectl exec and attach.
func (c *cluster) connect(t *testing.T, namespace, name, subresource string) error {
	t.Helper()
	clients, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	return clients.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(name).SubResource(subresource).
		Param("command", "sh").Param("stdout", "true").Do(t.Context()).Error()
}

package chart

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubernetes plays the parts of Kubernetes that an uninstallation needs and that a bare API server lacks, until the test ends: it runs the
// Job of the chart with the real program, as the Job's ServiceAccount, and stops the controller when its Deployment is gone.
func (c *cluster) kubernetes(t *testing.T, binary, namespace string) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	c.save(t, "system:serviceaccount:"+namespace+":keywright-uninstall", kubeconfig, "system:serviceaccounts", "system:authenticated")
	deployer := c.deployer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ticker := time.NewTicker(200 * time.Millisecond); ctx.Err() == nil; <-ticker.C {
			deployment := client.ObjectKey{Namespace: namespace, Name: "keywright-controller"}
			if err := c.admin.Get(ctx, deployment, unstructuredOf("apps/v1", "Deployment")); apierrors.IsNotFound(err) {
				c.stopController()
			}
			var job batchv1.Job
			if c.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "keywright-uninstall"}, &job) != nil || job.Status.StartTime != nil {
				continue
			}
			c.runJob(ctx, t, &job, binary, kubeconfig, deployer)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// deployer is somebody who may deploy into the key namespace, and has no right to mount any SigningKey: what the policies let through for
// them can neither sign nor read keys.
func (c *cluster) deployer(t *testing.T) client.Client {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	c.save(t, "deployer", kubeconfig, "system:authenticated")
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "deployer"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"},
	}}}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "deployer"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "deployer"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "deployer"}},
	}
	for _, o := range []client.Object{role, binding} {
		if err := c.admin.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	as, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return as
}

// runJob runs the pod of a Job, and writes what came of it.
func (c *cluster) runJob(ctx context.Context, t *testing.T, job *batchv1.Job, binary, kubeconfig string, deployer client.Client) {
	began := metav1.Now()
	pod := &corev1.Pod{ObjectMeta: job.Spec.Template.ObjectMeta, Spec: job.Spec.Template.Spec}
	pod.Namespace, pod.Name = job.Namespace, job.Name
	if err := deployer.Create(ctx, pod, client.DryRunAll); err != nil {
		t.Errorf("the policies of the key namespace refuse the pod of the Job: %v", err)
	}
	if account := job.Spec.Template.Spec.ServiceAccountName; account != "keywright-uninstall" {
		t.Errorf("the Job runs as %s", account)
	}
	args := slices.Concat(job.Spec.Template.Spec.Containers[0].Args, []string{"--kubeconfig=" + kubeconfig})
	out, err := exec.CommandContext(ctx, binary, args...).CombinedOutput()
	kinds := []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}
	job.Status.Succeeded = 1
	if err != nil {
		t.Errorf("the Job: %v\n%s", err, out)
		kinds = []batchv1.JobConditionType{batchv1.JobFailureTarget, batchv1.JobFailed}
		job.Status.Succeeded, job.Status.Failed = 0, 1
	}
	now := metav1.Now()
	job.Status.StartTime, job.Status.UncountedTerminatedPods = &began, &batchv1.UncountedTerminatedPods{}
	if err == nil {
		job.Status.CompletionTime = &now
	}
	for _, kind := range kinds {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	if err := c.admin.Status().Update(ctx, job); err != nil && ctx.Err() == nil {
		t.Errorf("the status of the Job: %v", err)
	}
}

func unstructuredOf(apiVersion, kind string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": apiVersion, "kind": kind}}
}

// wantStopped wants SigningKeys not to say that they are Ready when nobody looks after them, and nothing of the hook to be left.
func (c *cluster) wantStopped(t *testing.T) {
	t.Helper()
	const ready = `jsonpath={.items[*].status.conditions[?(@.type=="Ready")]['status','reason']}`
	if out := c.kubectl(t, "get", "signingkeys", "-o", ready); out != "Unknown ControllerStopped" {
		t.Errorf("after an uninstallation, Ready is %q", out)
	}
	for _, kind := range []string{"jobs,serviceaccounts,roles,rolebindings", "clusterroles,clusterrolebindings"} {
		if left := c.kubectl(t, "get", kind, "-A", "-l", "app.kubernetes.io/component=uninstall", "-o", "name"); strings.TrimSpace(left) != "" {
			t.Errorf("the hook leaves %s", left)
		}
	}
}

package simulation

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// cached is the Client of a process. It reads from its views, except Secrets, and writes to the store.
type cached struct {
	client.Client // nil, since other methods are not used
	p             *process
}

// quorum is the API reader of a process.
type quorum struct{ p *process }

func (c *cached) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	r := refFor(into, key)
	if r.kind == kindSecret {
		return (&quorum{c.p}).Get(ctx, key, into)
	}
	o, ok := c.p.views[r.kind].objects[r]
	if !ok {
		return apierrors.NewNotFound(r.resource(), r.name)
	}
	copyInto(o, into)
	return nil
}

// sawFiles is the point of a reconciliation after it has read the files.
const sawFiles = "saw the files"

func (c *cached) List(ctx context.Context, list client.ObjectList, _ ...client.ListOption) error {
	kind := kindOfList(list)
	fill(list, sortedObjects(c.p.views[kind].objects, kind, ""))
	if kind == kindConfigMap { // a process can be paused for hours between an observation and its decision
		c.p.pause(ctx, sawFiles)
	}
	return nil
}

func (q *quorum) Get(ctx context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	r := refFor(into, key)
	q.p.pause(ctx, "read "+r.String())
	if err := q.p.w.faults.read(q.p, r); err != nil {
		return err
	}
	o, err := q.p.w.store.get(r)
	if err == nil {
		copyInto(o, into)
	}
	return err
}

// List does not pause: the product holds a lock meanwhile, for which another worker of the process would wait.
func (q *quorum) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	kind := kindOfList(list)
	if err := q.p.w.faults.read(q.p, ref{kind, o.Namespace, "*"}); err != nil {
		return err
	}
	fill(list, q.p.w.store.list(kind, o.Namespace))
	return nil
}

func kindOfList(list client.ObjectList) string {
	switch list.(type) {
	case *keywrightv1alpha1.SigningKeyList:
		return kindSigningKey
	case *keywrightv1alpha1.RevocationList:
		return kindRevocation
	case *keywrightv1alpha1.TrustedIssuerList:
		return kindTrusted
	case *corev1.ConfigMapList:
		return kindConfigMap
	case *corev1.PodList:
		return kindPod
	default:
		kind := list.GetObjectKind().GroupVersionKind().Kind
		return kind[:len(kind)-len("List")]
	}
}

func fill(list client.ObjectList, objects []client.Object) {
	for _, o := range objects {
		switch list := list.(type) {
		case *keywrightv1alpha1.SigningKeyList:
			list.Items = append(list.Items, *o.(*keywrightv1alpha1.SigningKey))
		case *keywrightv1alpha1.RevocationList:
			list.Items = append(list.Items, *o.(*keywrightv1alpha1.Revocation))
		case *keywrightv1alpha1.TrustedIssuerList:
			list.Items = append(list.Items, *o.(*keywrightv1alpha1.TrustedIssuer))
		case *corev1.ConfigMapList:
			list.Items = append(list.Items, *o.(*corev1.ConfigMap))
		case *corev1.PodList:
			list.Items = append(list.Items, *o.(*corev1.Pod).DeepCopy())
		case *metav1.PartialObjectMetadataList:
			var m metav1.PartialObjectMetadata
			copyInto(o, &m)
			list.Items = append(list.Items, m)
		}
	}
}

// copyInto gives the caller its own copy.
func copyInto(o, into client.Object) {
	switch into := into.(type) {
	case *keywrightv1alpha1.SigningKey:
		o.(*keywrightv1alpha1.SigningKey).DeepCopyInto(into)
	case *keywrightv1alpha1.Revocation:
		o.(*keywrightv1alpha1.Revocation).DeepCopyInto(into)
	case *keywrightv1alpha1.TrustedIssuer:
		o.(*keywrightv1alpha1.TrustedIssuer).DeepCopyInto(into)
	case *corev1.Secret:
		o.(*corev1.Secret).DeepCopyInto(into)
	case *corev1.ConfigMap:
		o.(*corev1.ConfigMap).DeepCopyInto(into)
	case *corev1.Namespace:
		o.(*corev1.Namespace).DeepCopyInto(into)
	case *corev1.Pod:
		o.(*corev1.Pod).DeepCopyInto(into)
	case *metav1.PartialObjectMetadata:
		kind := into.GroupVersionKind()
		switch o := o.(type) {
		case *metav1.PartialObjectMetadata:
			o.DeepCopyInto(into)
		case *keywrightv1alpha1.SigningKey:
			o.ObjectMeta.DeepCopyInto(&into.ObjectMeta)
		case *keywrightv1alpha1.TrustedIssuer:
			o.ObjectMeta.DeepCopyInto(&into.ObjectMeta)
		default:
			metadataOf(o, kind.Kind).ObjectMeta.DeepCopyInto(&into.ObjectMeta)
		}
		into.SetGroupVersionKind(kind)
	}
}

func (c *cached) Create(ctx context.Context, o client.Object, _ ...client.CreateOption) error {
	return c.p.write(ctx, "create", refOf(o), o, func() (client.Object, error) { return c.p.w.store.create(o) })
}

func (c *cached) Update(ctx context.Context, o client.Object, _ ...client.UpdateOption) error {
	return c.p.write(ctx, "update", refOf(o), o, func() (client.Object, error) { return c.p.w.store.update(o, false) })
}

func (c *cached) Patch(ctx context.Context, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(o)
	if err != nil {
		return err
	}
	r := refOf(o)
	return c.p.write(ctx, "patch", r, o, func() (client.Object, error) { return c.p.w.store.patch(r, data) })
}

func (c *cached) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	var d client.DeleteOptions
	d.ApplyOptions(opts)
	r := refOf(o)
	return c.p.write(ctx, "delete", r, nil, func() (client.Object, error) { return nil, c.p.w.store.delete(r, d.Preconditions) })
}

func (c *cached) Apply(ctx context.Context, apply runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	var o client.ApplyOptions
	o.ApplyOptions(opts)
	b, err := json.Marshal(apply)
	if err != nil {
		return err
	}
	var cm corev1.ConfigMap
	if err := json.Unmarshal(b, &cm); err != nil {
		return err
	}
	return c.p.write(ctx, "apply", refOf(&cm), nil, func() (client.Object, error) { return c.p.w.store.apply(&cm, o.FieldManager) })
}

func (c *cached) Status() client.SubResourceWriter { return &statusWriter{p: c.p} }

type statusWriter struct {
	client.SubResourceWriter
	p *process
}

func (s *statusWriter) Update(ctx context.Context, o client.Object, _ ...client.SubResourceUpdateOption) error {
	return s.p.write(ctx, "update status of", refOf(o), o, func() (client.Object, error) { return s.p.w.store.update(o, true) })
}

// write sends a write to the store, with random faults, and pauses before and after.
func (p *process) write(ctx context.Context, what string, r ref, into client.Object, do func() (client.Object, error)) error {
	text := fmt.Sprintf("%s %s", what, r)
	if r.kind == kindPod { // pods are nudged in parallel: the order must not matter
		p.w.pods.mu.Lock()
		defer p.w.pods.mu.Unlock()
		return p.w.faults.refusal(r, func() error { _, err := do(); return err })
	}
	p.pause(ctx, text)
	p.w.writer, p.w.writing = p, activityOf(ctx)
	var stored client.Object
	err := p.w.faults.write(p, r, func() error {
		var err error
		stored, err = do()
		return err
	})
	p.w.writer, p.w.writing = nil, nil
	p.w.log("%s: %s: %s", p.name, text, short(err))
	p.pause(ctx, "answer of "+text)
	if err == nil && into != nil {
		copyInto(stored, into)
	}
	return err
}

func short(err error) string {
	if err == nil {
		return "ok"
	}
	return string(apierrors.ReasonForError(err)) + " " + err.Error()
}

package controllers

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/controllers/rotation"
)

// truth asks the API server itself, for the few decisions that neither memory nor a cache may make.
type truth struct {
	api          client.Reader
	keyNamespace string
	now          func() time.Time
	projections  *Projections

	mu       sync.Mutex
	names    map[string]bool
	listedAt time.Time
}

// namesFor is how long a list of names serves: after a start every namespace asks for it.
const namesFor = time.Second

// confirm reads keyring and signing-key Secret of one SigningKey, and stores the projection that they make. It reports
// whether the keyring may be believed: it exists and is at least as new as the Secret.
func (t *truth) confirm(ctx context.Context, name string) (bool, error) {
	before := t.now()
	held, _ := t.projections.get(name)
	keyring, err := readKeyring(ctx, t.api, t.keyNamespace, name)
	if err != nil || keyring.object == nil {
		return false, err
	}
	secret, err := readSigningKeySecret(ctx, t.api, t.keyNamespace, name)
	if err != nil {
		return false, err
	}
	if secret != nil && secretGeneration(secret) > keyring.ring.Generation {
		return false, nil
	}
	fresh := newProjection(&keyring.ring, rotation.Policy{}, held.revoked, before)
	fresh.selector, fresh.keyNamespace, fresh.keepFor, fresh.frozen = held.selector, held.keyNamespace, held.keepFor, held.frozen
	t.projections.replace(name, held, fresh)
	return true, nil
}

// known returns every name that has a SigningKey, a keyring or a signing-key Secret.
func (t *truth) known(ctx context.Context) (map[string]bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if t.names != nil && now.Sub(t.listedAt) < namesFor {
		return t.names, nil
	}
	names, err := t.listNames(ctx)
	if err != nil {
		return nil, err
	}
	t.names, t.listedAt = names, now
	return names, nil
}

func (t *truth) listNames(ctx context.Context) (map[string]bool, error) {
	names := map[string]bool{}
	keys := metav1.PartialObjectMetadataList{}
	keys.SetGroupVersionKind(keywrightv1alpha1.GroupVersion().WithKind("SigningKeyList"))
	if err := t.list(ctx, &keys); err != nil {
		return nil, err
	}
	for i := range keys.Items {
		names[keys.Items[i].Name] = true
	}
	secrets := metav1.PartialObjectMetadataList{}
	secrets.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	if err := t.list(ctx, &secrets, client.InNamespace(t.keyNamespace)); err != nil {
		return nil, err
	}
	for i := range secrets.Items {
		if name, ok := signingKeyOf(secrets.Items[i].Name); ok {
			names[name] = true
		}
	}
	return names, nil
}

func (t *truth) list(ctx context.Context, list *metav1.PartialObjectMetadataList, opts ...client.ListOption) error {
	if err := t.api.List(ctx, list, opts...); err != nil {
		return fmt.Errorf("list %s: %w", list.Kind, err)
	}
	return nil
}

// signingKeyOf returns the name of the SigningKey that a Secret of the key namespace belongs to, going by its name.
func signingKeyOf(secret string) (string, bool) {
	for _, suffix := range []string{contract.KeyringSuffix, contract.SigningKeySuffix} {
		if name, ok := strings.CutSuffix(secret, suffix); ok && name != "" {
			return name, true
		}
	}
	return "", false
}

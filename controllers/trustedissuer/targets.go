package trustedissuer

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
)

// targets has the state of the namespaces of one TrustedIssuer, from the cache.
type targets struct {
	selected, inSync, kept int
	// behind are the namespaces that do not hold the current keys, sorted.
	behind []string
	// gateway has the namespaces where another object has the gateway entry. It is nil unless this one requests the entry.
	gateway *desired.GatewayTaken
	// held are the kids in any file.
	held []string
}

// observeTargets compares the ConfigMaps in the cache with the projection.
func (r *Reconciler) observeTargets(ctx context.Context, p *pass) error {
	var namespaces metav1.PartialObjectMetadataList
	namespaces.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NamespaceList"))
	if err := r.Client.List(ctx, &namespaces, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list namespaces: %w", err)
	}
	var files corev1.ConfigMapList
	if err := r.Client.List(ctx, &files, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("list ConfigMaps %s: %w", contract.JWKSConfigMap, err)
	}
	p.targets.gateway = desired.NewGatewayTaken(r.Projections.All(), p.ti.Name, p.ti.Spec.Distribution.GatewayEntry)
	content := map[string]string{}
	parsed := map[string]bool{}
	for i := range files.Items {
		if cm := &files.Items[i]; cm.Name == contract.JWKSConfigMap {
			set := cm.Data[p.ti.Name+contract.JWKSSuffix]
			content[cm.Namespace] = set
			if set != "" && !parsed[set] {
				parsed[set] = true
				p.targets.held = append(p.targets.held, issuerfiles.KeyIDs([]byte(set))...)
			}
		}
	}
	for i := range namespaces.Items {
		p.addNamespace(&namespaces.Items[i], content[namespaces.Items[i].Name])
	}
	slices.Sort(p.targets.behind)
	return nil
}

// addNamespace counts one namespace.
func (p *pass) addNamespace(ns *metav1.PartialObjectMetadata, content string) {
	t, projection := &p.targets, &p.trusted.Projection
	holds := content != "" && !issuerfiles.TrustsNobody(content)
	inSync := content == projection.Files.KeySet && !projection.Frozen
	switch {
	case ns.DeletionTimestamp != nil:
		return
	case projection.Selects(ns.Name, labels.Set(ns.Labels)):
		t.selected++
		t.gateway.Add(ns.Name, ns.Labels)
		if inSync {
			t.inSync++
			return
		}
	case holds:
		t.kept++
		if inSync {
			return
		}
	default:
		return
	}
	t.behind = append(t.behind, ns.Name)
}

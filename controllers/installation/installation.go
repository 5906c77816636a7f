package installation

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Installation tells one installation of Keywright in a cluster from another. SigningKeys are cluster-scoped, so two installations
// with different key namespaces would each make keys for the same ones, and overwrite each other's files. Each SigningKey names the key
// namespace that reconciles it, and whoever is not named writes nothing.
type Installation struct {
	// Client reads SigningKeys from the cache.
	Client client.Reader
	// KeyNamespace is that of this installation.
	KeyNamespace string
	// TakeOverFrom are the key namespaces of installations that this one replaces.
	TakeOverFrom []string
}

// Owner returns the key namespace of another installation that reconciles the SigningKeys of this cluster, empty if there is none. As
// long as any SigningKey names this installation it works, whatever another one says: a manifest that came from elsewhere with its
// annotation must not keep the keys of all others from being revoked.
func (i *Installation) Owner(ctx context.Context) (string, error) {
	var keys keywrightv1alpha1.SigningKeyList
	if err := i.Client.List(ctx, &keys, client.UnsafeDisableDeepCopy); err != nil {
		return "", fmt.Errorf("list SigningKeys: %w", err)
	}
	other := ""
	for k := range keys.Items {
		if keys.Items[k].Annotations[contract.KeyNamespaceAnnotation] == i.KeyNamespace {
			return "", nil
		}
		if owner := i.OtherOwner(&keys.Items[k]); owner != "" && other == "" {
			other = owner
		}
	}
	return other, nil
}

// OtherOwner returns the key namespace of the other installation that reconciles a SigningKey, empty if this one may.
func (i *Installation) OtherOwner(key *keywrightv1alpha1.SigningKey) string {
	owner := key.Annotations[contract.KeyNamespaceAnnotation]
	if i.May(owner) {
		return ""
	}
	return owner
}

// May reports whether this installation may write what names a key namespace.
func (i *Installation) May(owner string) bool {
	return owner == "" || owner == i.KeyNamespace || slices.Contains(i.TakeOverFrom, owner)
}

// Claim names this installation on a SigningKey. It reports whether that changed it.
func (i *Installation) Claim(key *keywrightv1alpha1.SigningKey) bool {
	if key.Annotations[contract.KeyNamespaceAnnotation] == i.KeyNamespace {
		return false
	}
	if key.Annotations == nil {
		key.Annotations = map[string]string{}
	}
	key.Annotations[contract.KeyNamespaceAnnotation] = i.KeyNamespace
	return true
}

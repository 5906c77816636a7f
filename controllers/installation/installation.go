package installation

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/keywright/keywright/api/contract"
	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// Installation is one installation of Keywright in a cluster. SigningKeys are cluster-scoped, so two installations with
// different key namespaces would both create keys for them, and overwrite each other's files. Each SigningKey has an
// annotation with the key namespace of the installation that reconciles it. Other installations write nothing.
type Installation struct {
	// Client reads SigningKeys from the cache.
	Client client.Reader
	// KeyNamespace is the key namespace of this installation.
	KeyNamespace string
	// TakeOverFrom are the key namespaces of installations that this one replaces.
	TakeOverFrom []string
}

// Owner returns the key namespace of another installation that reconciles the SigningKeys of this cluster, empty if
// there is none. This installation works if any SigningKey names it, even if another SigningKey names a different one.
// Otherwise a manifest that was copied with its annotation could prevent revocations.
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

// May reports whether this installation may write an object whose annotation is owner.
func (i *Installation) May(owner string) bool {
	return owner == "" || owner == i.KeyNamespace || slices.Contains(i.TakeOverFrom, owner)
}

// Claim sets the annotation of this installation on a SigningKey. It reports whether that changed it.
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

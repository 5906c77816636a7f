package revocation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/progress"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/receipt"
	"github.com/keywright/keywright/controllers/rotation"
)

// checkKey returns an error for a key ID that the SigningKey never had: it is mistyped, and the leaked key would continue to sign.
func (r *request) checkKey(key *keywrightv1alpha1.SigningKey) error {
	if r.spec.KeyID == "" || r.unknown || keyOf(key, r.spec.KeyID) != nil {
		return nil
	}
	if slices.ContainsFunc(key.Status.Revocations, func(v keywrightv1alpha1.KeyRevocationStatus) bool { return v.Known && v.KeyID == r.spec.KeyID }) {
		return nil // it is already revoked: show its receipt again
	}
	return fmt.Errorf("SigningKey %s has no key %s: nothing was revoked. %s. Use --unknown to revoke it anyway", key.Name, r.spec.KeyID, keysOf(key))
}

// keysOf lists the keys in the status.
func keysOf(key *keywrightv1alpha1.SigningKey) string {
	if len(key.Status.Keys) == 0 {
		return "Its status has no keys: `kubectl keywright status " + key.Name + "` shows why"
	}
	var keys []string
	for i := range key.Status.Keys {
		keys = append(keys, key.Status.Keys[i].KeyID+" ("+key.Status.Keys[i].State+")")
	}
	return "Its keys are " + strings.Join(keys, ", ")
}

// keyOf returns the key with an ID, nil if the status has none.
func keyOf(key *keywrightv1alpha1.SigningKey, kid string) *keywrightv1alpha1.KeyStatus {
	i := slices.IndexFunc(key.Status.Keys, func(k keywrightv1alpha1.KeyStatus) bool { return k.KeyID == kid })
	if i < 0 {
		return nil
	}
	return &key.Status.Keys[i]
}

// explainKey returns what the revocation of a key causes.
func explainKey(key *keywrightv1alpha1.SigningKey, kid string) string {
	k := keyOf(key, kid)
	switch {
	case k == nil:
		return fmt.Sprintf("SigningKey %s has no key %s. The key ID is permanently recorded as revoked.", key.Name, kid)
	case kid == key.Status.ActiveKeyID:
		return fmt.Sprintf("Key %s signs now. The Standby key signs in its place at once. Pods reject all tokens of the revoked key once it is removed from their files.", kid)
	case k.State == string(rotation.Standby):
		return fmt.Sprintf("Key %s is the Standby key. It never signed, so no token is rejected. Another Standby key is prepared.", kid)
	case k.RemovalTime != nil:
		return fmt.Sprintf("Key %s is %s. Pods reject its tokens once it is removed from their files. Its last token would expire by %s.",
			kid, k.State, k.RemovalTime.UTC().Format(time.RFC3339))
	default:
		return fmt.Sprintf("Key %s is %s. Pods reject its tokens once it is removed from their files.", kid, k.State)
	}
}

// revokeInSpec adds a key to spec.revokedKeyIDs. The resource version guards a list that changes in the meantime.
func (c *command) revokeInSpec(ctx context.Context, k client.WithWatch, key *keywrightv1alpha1.SigningKey, r *request) error {
	kid := r.spec.KeyID
	if !slices.Contains(key.Spec.RevokedKeyIDs, kid) {
		before := key.DeepCopy()
		key.Spec.RevokedKeyIDs = append(key.Spec.RevokedKeyIDs, kid)
		switch err := k.Patch(ctx, key, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); {
		case ctx.Err() != nil:
			return fmt.Errorf("interrupted: `kubectl get signingkey %s -o yaml` shows whether spec.revokedKeyIDs has the key", key.Name)
		case apierrors.IsForbidden(err):
			return fmt.Errorf("%w: with permission to create Revocations, run `kubectl keywright revoke %s --key %s` instead", err, key.Name, kid)
		case err != nil:
			return err
		}
	}
	cli.Printf(c.Out, "Requested the revocation of key %s of SigningKey %s.\n", kid, key.Name)
	if r.noWait {
		return nil
	}
	return progress.Err(ctx, key.Name, receipt.AwaitKey(ctx, c.Env, k, key.Name, kid))
}

// completeKeyIDs completes the name of a SigningKey, and after it the IDs of its keys.
func (c *command) completeKeyIDs(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return c.CompleteSigningKeys(cmd, args, toComplete)
	}
	k, err := c.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	key, err := cli.GetSigningKey(cmd.Context(), k, args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var ids []string
	for i := range key.Status.Keys {
		ids = append(ids, key.Status.Keys[i].KeyID+"\t"+key.Status.Keys[i].State)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

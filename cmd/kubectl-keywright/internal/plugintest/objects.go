package plugintest

import (
	"context"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
)

// CreateSigningKey creates a SigningKey with the shortest times except for the interval, and one target, and waits until it is Ready.
func CreateSigningKey(t *testing.T, name string) *keywrightv1alpha1.SigningKey {
	t.Helper()
	StartCluster(t)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"trusts": name}}}
	if err := cluster.admin.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	second := metav1.Duration{Duration: time.Second}
	key := &keywrightv1alpha1.SigningKey{ObjectMeta: metav1.ObjectMeta{Name: name}}
	key.Spec.Rotation.Interval = metav1.Duration{Duration: time.Hour}
	key.Spec.Token = keywrightv1alpha1.Token{MaxLifetime: metav1.Duration{Duration: 10 * time.Minute}, ClockSkew: second}
	key.Spec.Distribution = keywrightv1alpha1.Distribution{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"trusts": name}}, PropagationDelay: second,
	}
	if err := cluster.admin.Create(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := cli.Poll(ctx, 50*time.Millisecond, func() (bool, error) {
		err := cluster.admin.Get(ctx, client.ObjectKey{Name: name}, key)
		return key.Status.Targets.InSync == 2 && len(key.Status.Keys) == 2, err
	}); err != nil {
		t.Fatalf("not Ready: %v %+v", err, key.Status)
	}
	return key
}

// Revocations returns the Revocations of a SigningKey.
func Revocations(t *testing.T, signingKey string) (of []keywrightv1alpha1.Revocation) {
	t.Helper()
	var list keywrightv1alpha1.RevocationList
	if err := cluster.admin.List(t.Context(), &list); err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
	for _, r := range list.Items {
		if r.Spec.SigningKey == signingKey {
			of = append(of, r)
		}
	}
	return of
}

// Token returns a JWT with a signature that is not valid.
func Token(kid, payload string) string {
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return encode(fmt.Sprintf(`{"alg":"ES256","kid":%q}`, kid)) + "." + encode(payload) + ".c2ln"
}

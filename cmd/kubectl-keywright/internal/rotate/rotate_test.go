package rotate

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/plugintest"
)

func TestRotate(t *testing.T) {
	key := plugintest.CreateSigningKey(t, "rotate")
	out, errOut, err := plugintest.Run(t, "", "rotate", "rotate")
	if err != nil {
		t.Fatal(err)
	}
	if err := plugintest.Admin().Get(t.Context(), client.ObjectKeyFromObject(key), key); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "Key "+key.Status.ActiveKeyID+" signs.") || !strings.Contains(errOut, "The next key signs at") {
		t.Errorf("%s\n%s", out, errOut)
	}
	if len(key.Status.Keys) != 3 {
		t.Errorf("keys %+v", key.Status.Keys)
	}
}

// A second request within the same second requests another rotation.
func TestRequestTime(t *testing.T) {
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var key keywrightv1alpha1.SigningKey
	for _, c := range []struct{ handled, want time.Time }{
		{time.Time{}, at}, {at.Add(-time.Second), at}, {at, at.Add(time.Second)}, {at.Add(time.Second), at.Add(2 * time.Second)},
	} {
		key.Status.HandledRotateRequest = nil
		if !c.handled.IsZero() {
			key.Status.HandledRotateRequest = &metav1.Time{Time: c.handled}
		}
		if got := requestTime(at, &key); !got.Equal(c.want) {
			t.Errorf("handled %v: asks for %v, want %v", c.handled, got, c.want)
		}
	}
}

package receipt

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
)

// The receipt of a key reports which pods were nudged, and by when to expect the change everywhere.
func TestKeyLines(t *testing.T) {
	at := func(seconds int) *metav1.Time {
		return &metav1.Time{Time: time.Date(2026, 11, 26, 14, 24, seconds, 0, time.UTC)}
	}
	var key keywrightv1alpha1.SigningKey
	key.Status.Targets.Selected, key.Status.Targets.Kept = 11, 1
	key.Spec.Distribution.PropagationDelay.Duration = 15 * time.Minute
	r := keywrightv1alpha1.KeyRevocationStatus{KeyID: "k1", Known: true, RevokedAt: *at(26), RemovedAt: at(26), NudgedAt: at(28), ExpectedEverywhereBy: at(33)}
	text := strings.Join(keyLines(&key, &r), "\n")
	const want = `14:24:26Z  Recorded: the revocation of key k1 is permanent
14:24:26Z  Removed from the files of 12 of 12 namespaces
14:24:28Z  All pods nudged
           Every running pod should have removed it by 14:24:33Z (Kubernetes cannot confirm this)`
	if text != want {
		t.Errorf("%s", text)
	}
	r.ExpectedEverywhereBy = &metav1.Time{Time: r.RemovedAt.Add(15 * time.Minute)}
	if text := strings.Join(keyLines(&key, &r), "\n"); !strings.Contains(text, "Pods of the issuer nudged") {
		t.Errorf("%s", text)
	}
}

// The receipt of a Revocation reports that a key is removed, and that anything else is rejected.
func TestRevocationLines(t *testing.T) {
	at := func(seconds int) *metav1.Time {
		return &metav1.Time{Time: time.Date(2026, 11, 26, 14, 24, seconds, 0, time.UTC)}
	}
	var key keywrightv1alpha1.SigningKey
	key.Status.Targets.Selected = 12
	key.Spec.Distribution.PropagationDelay.Duration = 15 * time.Minute
	var r keywrightv1alpha1.Revocation
	r.Spec.KeyID = "k1"
	r.Status = keywrightv1alpha1.RevocationStatus{RevokedAt: at(26), RemovedAt: at(27), NudgedAt: at(28), ExpectedEverywhereBy: at(33)}
	if text := strings.Join(revocationLines(&key, &r), "\n"); text != `14:24:26Z  Recorded: the revocation is permanent
14:24:27Z  Removed from the files of 12 of 12 namespaces
14:24:28Z  All pods nudged
           Every running pod should have removed it by 14:24:33Z (Kubernetes cannot confirm this)` {
		t.Error(text)
	}
	r.Spec = keywrightv1alpha1.RevocationSpec{Subject: "a"}
	r.Status.NudgedAt = nil
	if text := strings.Join(revocationLines(&key, &r), "\n"); text != `14:24:26Z  Recorded: the revocation is permanent
14:24:27Z  Added to the revocation lists of 12 of 12 namespaces
           Every running pod should reject it by 14:24:33Z (Kubernetes cannot confirm this)` {
		t.Error(text)
	}
	r.Spec.Nudge = true
	if text := strings.Join(revocationLines(&key, &r), "\n"); strings.Contains(text, "Every running pod") || isComplete(&r) {
		t.Errorf("before the pods were nudged: %s", text)
	}
}

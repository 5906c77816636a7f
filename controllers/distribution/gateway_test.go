package distribution

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/desired"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/rotation"
)

// entryOf returns a projection of one key that requests the gateway entry since a time, zero for none.
func entryOf(t *testing.T, asks time.Time) desired.Projection {
	t.Helper()
	m, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return desired.Projection{
		Files:    desired.Files{KeySet: string(issuerfiles.EncodeKeySet("ES256", []issuerfiles.PublicKey{{ID: m.ID, JWK: m.Public}}))},
		Selector: labels.Everything(), GatewayEntry: asks, KeepFor: time.Hour, Tombstone: string(issuerfiles.Tombstone("ES256")),
	}
}

// The entry has the key set of the first object that requests it, is updated with it, passes to the next object, and
// ends with a tombstone.
func TestGatewayEntry(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	first, second, other := entryOf(t, now.Add(-2*time.Hour)), entryOf(t, now.Add(-time.Hour)), entryOf(t, time.Time{})
	all := map[string]desired.Projection{"b-first": first, "a-second": second, "c-other": other}
	var cm *corev1.ConfigMap
	at := func(projections map[string]desired.Projection) composition {
		t.Helper()
		c := compose(now, target{namespace: "shop", cm: cm}, projections)
		text, err := desired.EncodeRecords(c.records)
		if err != nil {
			t.Fatal(err)
		}
		cm = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Annotations: map[string]string{contract.ProjectionsAnnotation: text}, Labels: map[string]string{contract.ManagedByLabel: contract.ManagedBy},
		}, Data: c.data}
		if again := compose(now, target{namespace: "shop", cm: cm}, projections); !again.matches(cm) || len(again.unexpected) > 0 {
			t.Errorf("it is written again: %v, unexpected %v", again.data, again.unexpected)
		}
		return c
	}
	entry := func() string { return cm.Data[contract.GatewayFile] }
	if at(all); entry() != first.Files.KeySet {
		t.Errorf("the entry is %s", entry())
	}
	retained := first
	retained.Selector, retained.GatewayEntry = nil, time.Time{}
	if at(map[string]desired.Projection{"b-first": retained, "c-other": other}); entry() != first.Files.KeySet {
		t.Errorf("with a retained keyring the entry is %s", entry())
	}
	if at(map[string]desired.Projection{"b-first": {Frozen: true}, "c-other": other}); entry() != first.Files.KeySet {
		t.Errorf("while its keyring is not read the entry is %s", entry())
	}
	if at(map[string]desired.Projection{"a-second": second, "c-other": other}); entry() != second.Files.KeySet {
		t.Errorf("after the first one the entry is %s", entry())
	}
	if at(map[string]desired.Projection{"c-other": other}); !issuerfiles.TrustsNobody(entry()) {
		t.Errorf("when nobody asks the entry is %s", entry())
	}
	now = now.Add(EntombedFor)
	if at(map[string]desired.Projection{"c-other": other}); entry() != "" {
		t.Errorf("a day later the entry is %s", entry())
	}
	cm.Data[contract.GatewayFile] = second.Files.KeySet // by another client
	if c := at(map[string]desired.Projection{"c-other": other}); !issuerfiles.TrustsNobody(entry()) || strings.Join(c.unexpected, "") != contract.GatewayFile {
		t.Errorf("a planted entry becomes %s, unexpected %v", entry(), c.unexpected)
	}
	cm.Data[contract.GatewayFile] = "anything"
	if at(map[string]desired.Projection{"c-other": other}); entry() != "" {
		t.Errorf("a planted text becomes %s", entry())
	}
}

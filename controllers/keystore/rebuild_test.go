package keystore_test

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/jwk"
	"github.com/keywright/keywright/controllers/keystore"
	"github.com/keywright/keywright/controllers/rotation"
)

// A Secret whose key set lacks its own key was written by another client. Other keys with live tokens may be missing,
// too, so it is not used.
func TestRebuildRefusesASecretThatDoesNotPublishItsKey(t *testing.T) {
	active, activePublic := newKey(t)
	_, retired := newKey(t)
	for name, c := range map[string]struct {
		keys [][]byte
		want int // keys, 0 for an error
	}{
		"its key and another": {[][]byte{activePublic, retired}, 2},
		"another key alone":   {[][]byte{retired}, 0},
		"no key":              {nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var set []issuerfiles.PublicKey
			for _, key := range c.keys {
				set = append(set, issuerfiles.PublicKey{ID: issuerfiles.KeyID(key), JWK: key})
			}
			ring, err := keystore.Rebuild(&corev1.Secret{Data: map[string][]byte{
				contract.ActiveFile: active, contract.JWKSFile: issuerfiles.EncodeKeySet("ES256", set),
			}}, time.Now())
			var unreadable *keystore.UnreadableError
			if errors.As(err, &unreadable) != (c.want == 0) || len(ring.Keys) != c.want {
				t.Errorf("%d keys, %v", len(ring.Keys), err)
			}
			if a := ring.Active(); c.want > 0 && (a == nil || a.State != rotation.Active || a.ID != issuerfiles.KeyID(active)) {
				t.Errorf("Active is %+v", a)
			}
		})
	}
}

func newKey(t *testing.T) (private, public []byte) {
	t.Helper()
	key, err := jwk.Generate(rotation.KeySpec{Algorithm: "ES256"})
	if err != nil {
		t.Fatal(err)
	}
	return key.Private, key.Public
}

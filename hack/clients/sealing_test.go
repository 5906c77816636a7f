package clients_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
)

// sealingKey is the nth sealing key of a keyring.
func sealingKey(n int64) issuerfiles.SealingKey {
	return issuerfiles.SealingKey{
		Number: n, Secret: bytes.Repeat([]byte{byte(n)}, issuerfiles.SealingSecretBytes), PreparedAt: time.Unix(n, 0), MaxRefreshLifetime: 12 * time.Hour,
	}
}

// allowSessions mounts the first sealing key, in use.
func (k *keyring) allowSessions(t testing.TB) {
	t.Helper()
	k.sealing = issuerfiles.SealingKeys{sealingKey(1)}
	k.useSealing()
	k.write(t)
}

// prepareSealing adds the next sealing key, which is not used yet, in a keyring with sessions.
func (k *keyring) prepareSealing() {
	if newest := k.sealing.Newest(); newest > 0 {
		k.sealing = append(k.sealing, sealingKey(newest+1))
	}
}

// useSealing has issuers seal with the newest key.
func (k *keyring) useSealing() {
	for i := range k.sealing {
		k.sealing[i].UsedAt = k.sealing[i].PreparedAt
	}
}

// retireSealing takes the oldest keys away. Clients of the load refresh far more often than three rotations take.
func (k *keyring) retireSealing() {
	k.sealing = k.sealing[max(0, len(k.sealing)-3):]
}

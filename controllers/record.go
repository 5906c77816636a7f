package controllers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
)

// record is what contract.ProjectionsAnnotation says of the files of one SigningKey in a ConfigMap.
type record struct {
	// Generation of the keyring that the files were made from.
	Generation int64 `json:"generation"`
	// DeselectedAt is since when the namespace is no longer selected.
	DeselectedAt *time.Time `json:"deselectedAt,omitempty"`
	// TakenAwayAt is since when the key set is a tombstone.
	TakenAwayAt *time.Time `json:"takenAwayAt,omitempty"`
	// Writes counts the versions of the key set that the controller knows of: its own, and those of others that it replaced. A
	// watcher for whom it jumps has missed some.
	Writes int64 `json:"writes"`
	// Digest of the key set, and RevokedDigest of the revocation list, as the controller wrote them: the first 64 bits of the
	// SHA-256.
	Digest        string `json:"digest"`
	RevokedDigest string `json:"revokedDigest,omitempty"`
}

// maxWrites is more than any file sees.
const maxWrites = 1 << 40

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:8])
}

// recordsOf reads the annotation of a ConfigMap, nothing if somebody made it unreadable.
func recordsOf(cm *corev1.ConfigMap) map[string]record {
	records := map[string]record{}
	if cm == nil || json.Unmarshal([]byte(cm.Annotations[contract.ProjectionsAnnotation]), &records) != nil {
		return map[string]record{}
	}
	return records
}

func sameRecord(a, b record) bool {
	return a.Generation == b.Generation && a.Writes == b.Writes && a.Digest == b.Digest && a.RevokedDigest == b.RevokedDigest &&
		sameTime(a.DeselectedAt, b.DeselectedAt) && sameTime(a.TakenAwayAt, b.TakenAwayAt)
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

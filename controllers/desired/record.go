package desired

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/keywright/keywright/api/contract"
	"github.com/keywright/keywright/api/issuerfiles"
)

// Record is what contract.ProjectionsAnnotation says of the files of one SigningKey or TrustedIssuer in a ConfigMap.
type Record struct {
	// Generation of the keyring that the files were made from.
	Generation int64 `json:"generation"`
	// Foreign is set for the file of a TrustedIssuer.
	Foreign bool `json:"foreign,omitempty"`
	// Owner is the name whose key set contract.GatewayFile is: for GatewayRecord alone.
	Owner string `json:"owner,omitempty"`
	// DeselectedAt is since when the namespace is no longer selected.
	DeselectedAt *time.Time `json:"deselectedAt,omitempty"`
	// TakenAwayAt is since when the key set is a tombstone.
	TakenAwayAt *time.Time `json:"takenAwayAt,omitempty"`
	// Writes counts the versions of the key set that the controller knows of: its own, and those of others that it replaced. A
	// watcher for whom it jumps has missed some.
	Writes int64 `json:"writes"`
	// Digest of the key set, RevokedDigest of the revocation list, and CADigest of the issuer's CA, as the controller wrote them: the first
	// 64 bits of the SHA-256.
	Digest        string `json:"digest"`
	RevokedDigest string `json:"revokedDigest,omitempty"`
	CADigest      string `json:"caDigest,omitempty"`
}

// GatewayRecord is the name of the record of contract.GatewayFile. No object can have it.
const GatewayRecord = "/jwks"

// MaxWrites is more than any file sees.
const MaxWrites = 1 << 40

// Digest returns the first 64 bits of the SHA-256 of a file, in hexadecimal.
func Digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:8])
}

// RecordsOf reads the annotation of a ConfigMap, nothing if somebody made it unreadable.
func RecordsOf(cm *corev1.ConfigMap) map[string]Record {
	records := map[string]Record{}
	if cm == nil || json.Unmarshal([]byte(cm.Annotations[contract.ProjectionsAnnotation]), &records) != nil {
		return map[string]Record{}
	}
	return records
}

// EncodeRecords returns the annotation that RecordsOf reads. Equal records are equal bytes.
func EncodeRecords(records map[string]Record) (string, error) {
	b, err := json.Marshal(records)
	return string(b), err
}

// Equal reports whether two records say the same.
func (r Record) Equal(b Record) bool {
	return r.Generation == b.Generation && r.Foreign == b.Foreign && r.Owner == b.Owner && r.Writes == b.Writes && r.Digest == b.Digest && r.RevokedDigest == b.RevokedDigest && r.CADigest == b.CADigest &&
		sameTime(r.DeselectedAt, b.DeselectedAt) && sameTime(r.TakenAwayAt, b.TakenAwayAt)
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// RevokedIn returns the revocation list that stands as the controller left it, an empty one for any other.
func RevokedIn(data map[string]string, r Record, name string) issuerfiles.Revoked {
	content, ok := data[name+contract.RevokedSuffix]
	if !ok || r.RevokedDigest != Digest(content) {
		return issuerfiles.Revoked{}
	}
	list, err := issuerfiles.DecodeRevoked([]byte(content))
	if err != nil {
		return issuerfiles.Revoked{}
	}
	return list
}

// CAIn returns the issuer's CA that stands as the controller left it, empty for any other.
func CAIn(data map[string]string, r Record, name string) string {
	content, ok := data[name+contract.CASuffix]
	if !ok || r.CADigest != Digest(content) {
		return ""
	}
	return content
}

// IsForeign reports whether a key set is that of a TrustedIssuer, as the controller wrote it.
func IsForeign(cm *corev1.ConfigMap, name string) bool {
	if cm == nil || !strings.Contains(cm.Annotations[contract.ProjectionsAnnotation], `"foreign":true`) { // most have none: do not read it
		return false
	}
	r := RecordsOf(cm)[name]
	return r.Foreign && r.Digest == Digest(cm.Data[name+contract.JWKSSuffix])
}

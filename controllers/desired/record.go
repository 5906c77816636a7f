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

// Record is the entry in contract.ProjectionsAnnotation for the files of one SigningKey or TrustedIssuer in a
// ConfigMap.
type Record struct {
	// Generation is that of the keyring that the files were made from.
	Generation int64 `json:"generation"`
	// Foreign is set for the file of a TrustedIssuer.
	Foreign bool `json:"foreign,omitempty"`
	// Owner is the name of the object whose key set contract.GatewayFile has. Only GatewayRecord has it.
	Owner string `json:"owner,omitempty"`
	// DeselectedAt is when the namespace was no longer selected.
	DeselectedAt *time.Time `json:"deselectedAt,omitempty"`
	// TakenAwayAt is when the key set was replaced by a tombstone.
	TakenAwayAt *time.Time `json:"takenAwayAt,omitempty"`
	// Writes is the number of known versions of the key set: those of the controller, and those of others that it
	// replaced. If it increases by more than one, a watch has missed versions.
	Writes int64 `json:"writes"`
	// Digest, RevokedDigest and CADigest are the first 64 bits of the SHA-256 of the key set, of the revocation list and
	// of the issuer's CA, as the controller wrote them.
	Digest        string `json:"digest"`
	RevokedDigest string `json:"revokedDigest,omitempty"`
	CADigest      string `json:"caDigest,omitempty"`
}

// GatewayRecord is the name of the record of contract.GatewayFile. No object can have this name.
const GatewayRecord = "/jwks"

// MaxWrites is the largest valid value of Record.Writes. No file reaches it.
const MaxWrites = 1 << 40

// Digest returns the first 64 bits of the SHA-256 of a file, in hexadecimal.
func Digest(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:8])
}

// RecordsOf returns the records in the annotation of a ConfigMap, which the caller must not change. It returns an empty
// map if the annotation is missing or invalid.
func RecordsOf(cm *corev1.ConfigMap) map[string]Record {
	if cm == nil {
		return nil
	}
	return recent.of(cm.Annotations[contract.ProjectionsAnnotation], decodeRecords)
}

var recent decoded //nolint:gochecknoglobals // a cache of decodeRecords, whose result depends on nothing else

func decodeRecords(text string) map[string]Record {
	records := map[string]Record{}
	if json.Unmarshal([]byte(text), &records) != nil {
		return map[string]Record{}
	}
	return records
}

// EncodeRecords returns the annotation for RecordsOf. Equal records give equal bytes.
func EncodeRecords(records map[string]Record) (string, error) {
	b, err := json.Marshal(records)
	return string(b), err
}

// Equal reports whether two records are equal.
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

// RevokedIn returns the existing revocation list if the controller wrote it, and an empty one otherwise.
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

// CAIn returns the existing CA of the issuer if the controller wrote it, and an empty string otherwise.
func CAIn(data map[string]string, r Record, name string) string {
	content, ok := data[name+contract.CASuffix]
	if !ok || r.CADigest != Digest(content) {
		return ""
	}
	return content
}

// IsForeign reports whether a key set is that of a TrustedIssuer and was written by the controller.
func IsForeign(cm *corev1.ConfigMap, name string) bool {
	if cm == nil || !strings.Contains(cm.Annotations[contract.ProjectionsAnnotation], `"foreign":true`) { // most have none: do not decode it
		return false
	}
	r := RecordsOf(cm)[name]
	return r.Foreign && r.Digest == Digest(cm.Data[name+contract.JWKSSuffix])
}

package desired

import (
	"slices"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/rotation"
)

// Files are the two files of one SigningKey in a ConfigMap.
type Files struct {
	// KeySet is the JWKS, revoked the revocation list.
	KeySet, Revoked string
}

// FilesOf projects a keyring. alsoRevoked are revoked keys that the keyring does not record, because it cannot be written.
func FilesOf(ring *rotation.Keyring, p rotation.Policy, alsoRevoked []string) Files {
	revoked := RevokedIDs(ring, alsoRevoked)
	var keys []issuerfiles.PublicKey
	for _, k := range ring.PublishedKeys() {
		if !slices.Contains(revoked, k.ID) {
			keys = append(keys, issuerfiles.PublicKey{ID: k.ID, JWK: k.Public})
		}
	}
	return Files{
		KeySet:  string(issuerfiles.EncodeKeySet(tombstoneAlgorithm(ring, p), keys)),
		Revoked: string(issuerfiles.Revoked{KeyIDs: revoked}.Encode()),
	}
}

// tombstoneAlgorithm is that of the keys that were there: some libraries refuse a set with a key of a type that they do not know.
func tombstoneAlgorithm(ring *rotation.Keyring, p rotation.Policy) string {
	if spec := ring.KeySpec(); spec.Algorithm != "" {
		return spec.Algorithm
	}
	return p.Algorithm
}

// RevokedIDs returns the key IDs that a keyring records as revoked, and others.
func RevokedIDs(ring *rotation.Keyring, also []string) []string {
	var ids []string
	for _, id := range also { // each once, in a stable order: a projection that is made again is the same
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for i := range ring.Revoked {
		if !slices.Contains(ids, ring.Revoked[i].ID) {
			ids = append(ids, ring.Revoked[i].ID)
		}
	}
	return ids
}

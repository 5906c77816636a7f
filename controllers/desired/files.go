package desired

import (
	"maps"
	"slices"
	"time"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/controllers/issuerca"
	"github.com/keywright/keywright/controllers/rotation"
)

// Files are the files of one SigningKey in a ConfigMap.
type Files struct {
	// KeySet is the JWKS, and Revoked the revocation list.
	KeySet, Revoked string
	// CA has the certificates in PEM with which clients verify the issuer. It is empty if there is no such file. KeepCA
	// keeps the file that the controller wrote, since a rebuilt keyring does not have the certificates yet.
	CA     string
	KeepCA bool
}

// FilesOf returns the files of a keyring. also has revocations that are not in the keyring because it cannot be
// written.
func FilesOf(ring *rotation.Keyring, p rotation.Policy, also issuerfiles.Revoked) Files {
	list := RevokedOf(ring, also)
	var keys []issuerfiles.PublicKey
	for _, k := range ring.PublishedKeys() {
		if !slices.Contains(list.KeyIDs, k.ID) {
			keys = append(keys, issuerfiles.PublicKey{ID: k.ID, JWK: k.Public})
		}
	}
	return Files{
		KeySet:  string(issuerfiles.EncodeKeySet(tombstoneAlgorithm(ring, p), keys)),
		Revoked: string(list.Encode()),
		CA:      issuerca.Encode(ring.CACertificates()), KeepCA: ring.CAUnknown,
	}
}

// tombstoneAlgorithm returns the algorithm of the keys that the tombstone replaces. Some libraries refuse a set with a
// key of a type that they do not know.
func tombstoneAlgorithm(ring *rotation.Keyring, p rotation.Policy) string {
	if spec := ring.KeySpec(); spec.Algorithm != "" {
		return spec.Algorithm
	}
	return p.Algorithm
}

// RevokedIDs returns the union of also and the revoked key IDs of a keyring.
func RevokedIDs(ring *rotation.Keyring, also []string) []string {
	var ids []string
	for _, id := range also { // without duplicates and in a stable order, so that equal projections are the same
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

// RevokedOf returns the revocation list for services: the revocations of a keyring, and also. RevokedForIssuers has
// more entries, since issuers must not give tokens for a login that was revoked.
func RevokedOf(ring *rotation.Keyring, also issuerfiles.Revoked) issuerfiles.Revoked {
	return revokedOf(ring, also, func(t *rotation.TokenRevocation) bool { return !t.LeftPods })
}

// RevokedForIssuers returns the revocation list for the issuers.
func RevokedForIssuers(ring *rotation.Keyring, also issuerfiles.Revoked) issuerfiles.Revoked {
	return revokedOf(ring, also, func(t *rotation.TokenRevocation) bool { return !t.Expired })
}

func revokedOf(ring *rotation.Keyring, also issuerfiles.Revoked, lists func(*rotation.TokenRevocation) bool) issuerfiles.Revoked {
	list := issuerfiles.Revoked{KeyIDs: RevokedIDs(ring, also.KeyIDs), ClockSkew: ring.ClockSkew}
	for i := range ring.Tokens {
		if t := &ring.Tokens[i]; lists(t) {
			list = list.With(t.Digest, listedTime(t.Before, t.At))
		}
	}
	return list.Union(also)
}

// listedTime returns the time of an entry in the list. A token or a session existed when its revocation was requested,
// so its entry gets a time that is later than the iat of any such token.
func listedTime(before, requested time.Time) time.Time {
	if before.IsZero() {
		return requested.Add(rotation.LongestLifetime)
	}
	return before
}

// Lists reports whether a revocation list contains a record of a keyring.
func Lists(list issuerfiles.Revoked, t *rotation.TokenRevocation) bool {
	at := list.AllBefore
	if t.Digest != "" {
		at = list.Ended[t.Digest]
	}
	return !at.Before(listedTime(t.Before, t.At).Truncate(time.Second))
}

// TokensOf returns records of the token entries of a revocation list, to rebuild a keyring.
func TokensOf(list issuerfiles.Revoked) []rotation.TokenRevocation {
	var out []rotation.TokenRevocation
	if !list.AllBefore.IsZero() {
		out = append(out, rotation.TokenRevocation{Before: list.AllBefore})
	}
	for _, digest := range slices.Sorted(maps.Keys(list.Ended)) {
		out = append(out, rotation.TokenRevocation{Digest: digest, Before: list.Ended[digest]})
	}
	return out
}

// Pending returns the revocation list of requests that are not in the keyring.
func Pending(keyIDs []string, requests []rotation.TokenRequest, p rotation.Policy) issuerfiles.Revoked {
	list := issuerfiles.Revoked{KeyIDs: keyIDs, ClockSkew: p.ClockSkew}
	for _, r := range requests {
		list = list.With(r.Digest, listedTime(r.Before, r.At))
	}
	return list
}

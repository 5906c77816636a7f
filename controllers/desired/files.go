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
	// KeySet is the JWKS, revoked the revocation list.
	KeySet, Revoked string
	// CA are the certificates that clients trust the issuer by, PEM. It is empty if there is no such file. KeepCA lets the one stay that the
	// controller wrote: a keyring that was rebuilt does not know it yet.
	CA     string
	KeepCA bool
}

// FilesOf projects a keyring. also is revoked without being recorded in it, because it cannot be written.
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

// RevokedOf returns the revocation list for the services: what a keyring records, and what it does not. For issuers, who must not give tokens for
// a login that was ended, RevokedForIssuers has more.
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

// listedTime is what the list says of a value: for a token or a session, which was there when its end was asked for, a time that none with it
// reaches.
func listedTime(before, asked time.Time) time.Time {
	if before.IsZero() {
		return asked.Add(rotation.LongestLifetime)
	}
	return before
}

// Lists reports whether a revocation list has what a record of a keyring says.
func Lists(list issuerfiles.Revoked, t *rotation.TokenRevocation) bool {
	at := list.AllBefore
	if t.Digest != "" {
		at = list.Ended[t.Digest]
	}
	return !at.Before(listedTime(t.Before, t.At).Truncate(time.Second))
}

// TokensOf returns records of what a revocation list ends, for a keyring that is rebuilt.
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

// Pending returns the list of requests that no keyring records.
func Pending(keyIDs []string, requests []rotation.TokenRequest, p rotation.Policy) issuerfiles.Revoked {
	list := issuerfiles.Revoked{KeyIDs: keyIDs, ClockSkew: p.ClockSkew}
	for _, r := range requests {
		list = list.With(r.Digest, listedTime(r.Before, r.At))
	}
	return list
}

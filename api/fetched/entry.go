package fetched

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/api/jwks"
)

// Suffix ends the name of an entry, "<name>.json".
const Suffix = ".json"

// MostLeftOut is how many keys an entry names that are left out.
const MostLeftOut = 20

// Entry is what the fetcher knows of one TrustedIssuer.
type Entry struct {
	// UID is the metadata.uid of the TrustedIssuer. An entry of another object of the same name means nothing.
	UID string `json:"uid"`
	// Source is the digest of the source that the keys were read from: see Source.
	Source string `json:"source,omitempty"`
	// Revision grows with each change of KeySet, also if the ConfigMap was deleted in between.
	Revision int64 `json:"revision,omitempty"`
	// KeySet is the JWKS of the keys that can be used, as package jwks writes it. Empty before the first good answer.
	KeySet json.RawMessage `json:"keySet,omitempty"`
	// FirstSeen is when each key was first seen, by kid.
	FirstSeen map[string]time.Time `json:"firstSeen,omitempty"`
	// LeftOut are keys of the last good answer that cannot be used, the first MostLeftOut of them.
	LeftOut []jwks.LeftOut `json:"leftOut,omitempty"`
	// FetchedAt is when a good answer was recorded last.
	FetchedAt time.Time `json:"fetchedAt,omitzero"`
	// Failure says why the last answer could not be used, empty if it could. FailedSince is when the first one in a row failed.
	Failure     string    `json:"failure,omitempty"`
	FailedSince time.Time `json:"failedSince,omitzero"`
}

// maxFailure bounds the text of a failure, in bytes.
const maxFailure = 512

// Encode returns the entry as JSON. Equal entries are equal bytes.
func (e Entry) Encode() (string, error) {
	e.Failure = fmt.Sprintf("%.*s", maxFailure, e.Failure)
	e.LeftOut = e.LeftOut[:min(len(e.LeftOut), MostLeftOut)]
	b, err := json.Marshal(e)
	return string(b), err
}

// Decode reads an entry. No error quotes it.
func Decode(text string) (Entry, error) {
	var e Entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return Entry{}, errors.New("is not an entry of the fetcher")
	}
	return e, nil
}

// Source returns the digest of what names a source of keys: any value that json.Marshal takes.
func Source(of any) (string, error) {
	b, err := json.Marshal(of)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
}

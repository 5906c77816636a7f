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

// Suffix is the suffix of an entry, "<name>.json".
const Suffix = ".json"

// MostLeftOut is the maximum number of skipped keys in an entry.
const MostLeftOut = 20

// Entry is the state of the keys of one TrustedIssuer.
type Entry struct {
	// UID is the metadata.uid of the TrustedIssuer. An entry with another UID is ignored.
	UID string `json:"uid"`
	// Source is the digest of the configuration that the keys were read with, as returned by the function Source.
	Source string `json:"source,omitempty"`
	// Revision increases with each change of KeySet, even if the ConfigMap was deleted in between.
	Revision int64 `json:"revision,omitempty"`
	// KeySet is the JWKS of the usable keys, as encoded by package jwks. It is empty before the first successful
	// response.
	KeySet json.RawMessage `json:"keySet,omitempty"`
	// FirstSeen is the time when each key was first seen, by kid.
	FirstSeen map[string]time.Time `json:"firstSeen,omitempty"`
	// LeftOut are the first MostLeftOut skipped keys of the last successful response.
	LeftOut []jwks.LeftOut `json:"leftOut,omitempty"`
	// FetchedAt is the time of the last recorded successful response.
	FetchedAt time.Time `json:"fetchedAt,omitzero"`
	// Failure is the error of the last response, or "". FailedSince is the time of the first of consecutive failures.
	Failure     string    `json:"failure,omitempty"`
	FailedSince time.Time `json:"failedSince,omitzero"`
}

// maxFailure limits the text of a failure, in bytes.
const maxFailure = 512

// Encode returns the entry as JSON. Equal entries have equal bytes.
func (e Entry) Encode() (string, error) {
	e.Failure = fmt.Sprintf("%.*s", maxFailure, e.Failure)
	e.LeftOut = e.LeftOut[:min(len(e.LeftOut), MostLeftOut)]
	b, err := json.Marshal(e)
	return string(b), err
}

// Decode decodes an entry. No error quotes it.
func Decode(text string) (Entry, error) {
	var e Entry
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return Entry{}, errors.New("is not an entry that this version of the fetcher writes")
	}
	return e, nil
}

// Source returns the digest of a source configuration, any value that json.Marshal accepts.
func Source(of any) (string, error) {
	b, err := json.Marshal(of)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16]), nil
}

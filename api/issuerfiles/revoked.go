package issuerfiles

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// revokedVersion is the version of the format of a revocation list.
const revokedVersion = 1

// Revoked is a revocation list: the entry revoked of the signing-key Secret, and the file <name>.revoked of the ConfigMap
// keywright-jwks. It is written also when it is empty.
type Revoked struct {
	// KeyIDs are the kids of the keys that must not be trusted.
	KeyIDs []string
}

// revokedJSON is a revocation list in JSON. It has no member keys, so that nobody takes it for a JWKS.
type revokedJSON struct {
	Version int      `json:"version"`
	KeyIDs  []string `json:"keyIDs"`
}

// Encode returns the list as JSON, sorted and without repetitions, so that equal lists are equal bytes.
func (r Revoked) Encode() []byte {
	ids := slices.Compact(slices.Sorted(slices.Values(r.KeyIDs)))
	if ids == nil {
		ids = []string{}
	}
	b, err := json.Marshal(revokedJSON{Version: revokedVersion, KeyIDs: ids})
	if err != nil {
		panic(err) // a list of strings is always JSON
	}
	return b
}

// DecodeRevoked reads a revocation list. Members that this version does not know are ignored; another version is an error.
// No error quotes the file.
func DecodeRevoked(b []byte) (Revoked, error) {
	var in revokedJSON
	switch err := json.Unmarshal(b, &in); {
	case err != nil:
		return Revoked{}, errors.New("is not a revocation list")
	case in.Version != revokedVersion:
		return Revoked{}, fmt.Errorf("has version %d, and this program reads version %d", in.Version, revokedVersion)
	}
	return Revoked{KeyIDs: in.KeyIDs}, nil
}

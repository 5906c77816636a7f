package simulation

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/keywright/keywright/api/issuerfiles"
)

// says makes an issuer respond correctly, or in one of the ways in which issuers fail.
func (f *foreign) says(o *otherIssuer, how int) {
	a := answer{http.StatusOK, o.set()}
	switch how {
	case 1:
		a = answer{http.StatusInternalServerError, a.body}
	case 2:
		a.body = "<html>the login page</html>"
	case 3:
		a.body = setOf()
	case 4: // a private key among the public ones
		stray, err := material("ES256", "stray")
		must(err)
		a.body = o.set(stray.Private)
	case 5: // a key of the SigningKey
		a.body = o.set(f.ours()...)
	case 6: // only keys of the SigningKey
		a.body = setOf(f.ours()...)
	case 7: // another key with the kid of one of its own
		a.body = o.set(renamed(o.keys[0].Public, o.keys[len(o.keys)-1].ID))
	case 8:
		a.body += strings.Repeat(" ", 2<<20)
	case 9:
		a.body = o.set([]byte(`{"kty":"PQ","kid":"later"}`), []byte(`{"kty":"oct","kid":"shared","k":"c2VjcmV0"}`))
	case 10: // a key of its own with the kid of one of the SigningKey
		if ours := f.w.facts.ring.PublishedIDs(); len(ours) > 0 {
			a.body = setOf(renamed(o.keys[0].Public, ours[0]))
		}
	case 11:
		a.body = string(issuerfiles.Tombstone("ES256"))
	}
	bazaar.answers.Store(o.path, a)
}

// ours returns the public keys of the SigningKey.
func (f *foreign) ours() [][]byte {
	var all [][]byte
	for _, k := range f.w.facts.ring.PublishedKeys() {
		all = append(all, k.Public)
	}
	return all
}

func renamed(jwk []byte, kid string) []byte {
	var members map[string]any
	must(json.Unmarshal(jwk, &members))
	members["kid"] = kid
	b, err := json.Marshal(members)
	must(err)
	return b
}

func setOf(keys ...[]byte) string {
	raw := []json.RawMessage{}
	for _, k := range keys {
		raw = append(raw, k)
	}
	b, err := json.Marshal(map[string]any{"keys": raw})
	must(err)
	return string(b)
}

func (o *otherIssuer) set(more ...[]byte) string {
	for _, k := range o.keys {
		more = append(more, k.Public)
	}
	return setOf(more...)
}

package jwks

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	jose "github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/keywright/keywright/api/issuerfiles"
	"github.com/keywright/keywright/api/jws"
)

// The bounds of a published set: every target namespace holds a copy.
const (
	// MaxKeys is the largest number of keys of one issuer.
	MaxKeys = 64
	// MaxPublishedBytes is the largest size of the set of one issuer, in bytes.
	MaxPublishedBytes = 64 << 10
	// maxKeyID is the longest kid, in bytes.
	maxKeyID = 256
)

// Rules say which keys of another issuer are published.
type Rules struct {
	// Issuer is the iss of its tokens. A key whose member issuer names another one is left out, as Microsoft Entra asks.
	Issuer string
	// Algorithms are those that its tokens may be signed with. The first that fits is given to a key without alg. Without any, all of
	// api/jws are allowed, and an RSA key without alg is for RS256.
	Algorithms []string
	// SPIFFE is set for a SPIFFE bundle: the keys of use jwt-svid are read, and no others (SPIFFE Trust Domain and Bundle section 4).
	SPIFFE bool
	// NotOurs returns the name of the SigningKey that has a key of this RFC 7638 thumbprint, empty if none has. Such a key is left out:
	// its revocation would not reach the file of another issuer.
	NotOurs func(thumbprint string) string
}

// Published is one key as verifiers read it.
type Published struct {
	issuerfiles.PublicKey
	Algorithm string
}

// Publish reads the JWKS of another issuer for distribution. Every key that it returns is public, strong, for signatures, and has a kid
// of its own, an alg that fits it, and use "sig". It has no other member than those of its type, so that equal keys are equal bytes. A set
// that is empty, or has no key that can be used, is an error; the one exception is a tombstone of another Keywright, which says
// that nobody is to be trusted: it is no key and no error.
func Publish(b []byte, rules Rules) (keys []Published, leftOut []LeftOut, err error) {
	members, err := split(b)
	switch {
	case err != nil:
		return nil, nil, err
	case len(members) == 0:
		return nil, nil, errors.New("has no keys")
	case len(members) > MaxKeys:
		return nil, nil, fmt.Errorf("has %d keys, and at most %d are published", len(members), MaxKeys)
	}
	var candidates []candidate
	entombed := false
	for i, member := range members {
		c, l := rules.candidate(member)
		if l.Reason != "" {
			l.Position, l.KeyID = i+1, kidOf(member)
			leftOut = append(leftOut, l)
			continue
		}
		if issuerfiles.IsTombstone(c.ID) {
			entombed = true
			continue
		}
		candidates = append(candidates, c)
	}
	keys, twins := rules.oneForEachKeyID(candidates)
	leftOut = append(leftOut, twins...)
	size := 0
	for _, k := range keys {
		size += len(k.JWK)
	}
	switch {
	case len(keys) == 0 && !entombed:
		return nil, leftOut, errors.New("has no key that can be used")
	case size > MaxPublishedBytes:
		return nil, leftOut, fmt.Errorf("has %d bytes of keys, and at most %d are published", size, MaxPublishedBytes)
	}
	return keys, leftOut, nil
}

// candidate is a key that may be published if no other one has its kid.
type candidate struct {
	Published
	thumbprint string
}

// candidate reads one key, or says why it is left out.
func (r Rules) candidate(member []byte) (candidate, LeftOut) {
	if r.SPIFFE {
		member = forSignatures(member)
	}
	key, l := parseKey(member)
	if key == nil {
		return candidate{}, l
	}
	if l := r.acceptKeyID(key.KeyID); l.Reason != "" {
		return candidate{}, l
	}
	if of := issuerOf(member); of != "" && !sameIssuer(of, r.Issuer) {
		return candidate{}, LeftOut{Reason: fmt.Sprintf("it is for the issuer %.128q", of), Ordinary: true}
	}
	algorithm, l := r.algorithmOf(key)
	if l.Reason != "" {
		return candidate{}, l
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return candidate{}, LeftOut{Reason: "it has no RFC 7638 thumbprint"}
	}
	thumbprint := base64.RawURLEncoding.EncodeToString(sum)
	if r.NotOurs != nil {
		if name := r.NotOurs(thumbprint); name != "" {
			return candidate{}, LeftOut{Reason: fmt.Sprintf("it is a key of the SigningKey %s: verifiers read it in %s.json", name, name)}
		}
	}
	bare := jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: algorithm, Use: "sig"}
	jwk, err := bare.MarshalJSON()
	if err != nil {
		return candidate{}, LeftOut{Reason: "it cannot be written as a JWK"}
	}
	return candidate{Published{issuerfiles.PublicKey{ID: key.KeyID, JWK: jwk}, algorithm}, thumbprint}, LeftOut{}
}

// forSignatures returns a key of a SPIFFE bundle with the use that RFC 7517 has for it, if it is for JWT-SVIDs.
func forSignatures(member []byte) []byte {
	var members map[string]*josejson.RawMessage
	if josejson.Unmarshal(member, &members) != nil {
		return member // the next reader says so
	}
	use := josejson.RawMessage(`"x509-svid"`)
	if is := members["use"]; is != nil && string(*is) == `"jwt-svid"` {
		use = josejson.RawMessage(`"sig"`)
	}
	members["use"] = &use
	b, err := json.Marshal(members)
	if err != nil {
		return member
	}
	return b
}

func (r Rules) acceptKeyID(kid string) LeftOut {
	switch {
	case kid == "":
		return LeftOut{Reason: "it has no kid, so no token can name it"}
	case len(kid) > maxKeyID:
		return LeftOut{Reason: fmt.Sprintf("its kid is longer than %d bytes", maxKeyID)}
	case strings.ContainsFunc(kid, func(c rune) bool { return unicode.IsControl(c) || c == unicode.ReplacementChar }):
		return LeftOut{Reason: "its kid has control characters"}
	}
	return LeftOut{}
}

// algorithmOf returns the alg that a key is published with.
func (r Rules) algorithmOf(key *jose.JSONWebKey) (string, LeftOut) {
	allowed := r.Algorithms
	if len(allowed) == 0 {
		allowed = []string{"RS256", "ES256", "ES384", "ES512", "EdDSA", "RS384", "RS512"}
	}
	if key.Algorithm != "" {
		_, known := jws.Find(key.Algorithm)
		switch {
		case !known:
			return "", LeftOut{Reason: fmt.Sprintf("its alg %.32q is not supported", key.Algorithm), Ordinary: true}
		case !slices.Contains(allowed, key.Algorithm):
			return "", LeftOut{Reason: fmt.Sprintf("its alg %s is not among spec.algorithms", key.Algorithm)}
		case !Fits(key.Algorithm, key.Key):
			return "", LeftOut{Reason: fmt.Sprintf("it is not a key for its alg %s", key.Algorithm)}
		}
		return key.Algorithm, LeftOut{}
	}
	for _, name := range allowed {
		if Fits(name, key.Key) {
			return name, LeftOut{}
		}
	}
	return "", LeftOut{Reason: "it has no alg, and is for none of " + strings.Join(allowed, ", ")}
}

// oneForEachKeyID leaves out keys that a token cannot tell apart. A key that is there for several algorithms is published for the first
// that is allowed: a verifier that pins the algorithm to the key needs one.
func (r Rules) oneForEachKeyID(all []candidate) (keys []Published, leftOut []LeftOut) {
	byID := map[string][]candidate{}
	for _, c := range all {
		byID[c.ID] = append(byID[c.ID], c)
	}
	for _, c := range all {
		twins := byID[c.ID]
		delete(byID, c.ID)
		switch {
		case len(twins) == 0:
		case slices.ContainsFunc(twins, func(t candidate) bool { return t.thumbprint != twins[0].thumbprint }):
			leftOut = append(leftOut, LeftOut{KeyID: c.ID, Reason: fmt.Sprintf("%d keys have the kid %q", len(twins), c.ID)})
		default:
			first := slices.MinFunc(twins, func(a, b candidate) int { return r.rank(a.Algorithm) - r.rank(b.Algorithm) })
			keys = append(keys, first.Published)
			for _, t := range twins {
				if t.Algorithm != first.Algorithm {
					leftOut = append(leftOut, LeftOut{
						KeyID: c.ID, Reason: fmt.Sprintf("the key %q is published for %s, not also for %s", c.ID, first.Algorithm, t.Algorithm),
					})
				}
			}
		}
	}
	return keys, leftOut
}

// rank is the place of an algorithm among those that are allowed.
func (r Rules) rank(algorithm string) int { return slices.Index(r.Algorithms, algorithm) }

// issuerOf returns the member issuer of a key, which Microsoft Entra gives to the keys of its endpoints for several tenants.
func issuerOf(member []byte) string {
	var k struct {
		Issuer string `json:"issuer"`
	}
	if josejson.Unmarshal(member, &k) != nil {
		return ""
	}
	return k.Issuer
}

// tenantID stands in the issuer of Entra's keys and metadata for the tenant of a token.
const tenantID = "{tenantid}"

// sameIssuer reports whether the issuer of a key is the issuer of the tokens, where {tenantid} stands for one segment of a path.
func sameIssuer(of, want string) bool {
	before, after, template := strings.Cut(of, tenantID)
	if !template {
		return of == want
	}
	rest, begins := strings.CutPrefix(want, before)
	tenant, ends := strings.CutSuffix(rest, after)
	return begins && ends && tenant != "" && !strings.Contains(tenant, "/")
}

// EncodeFile returns the file of verifiers: a JWKS, sorted by kid. Without keys it is the tombstone of an algorithm.
func EncodeFile(keys []Published, algorithm string) []byte {
	public := make([]issuerfiles.PublicKey, len(keys))
	for i, k := range keys {
		public[i] = k.PublicKey
	}
	return issuerfiles.EncodeKeySet(algorithm, public)
}

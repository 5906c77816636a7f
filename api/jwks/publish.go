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

// The limits of a published set, of which every target namespace has a copy.
const (
	// MaxKeys is the maximum number of keys per issuer.
	MaxKeys = 64
	// MaxPublishedBytes is the maximum size of the set of an issuer, in bytes.
	MaxPublishedBytes = 64 << 10
	// maxKeyID is the maximum length of a kid, in bytes.
	maxKeyID = 256
)

// Rules determine which keys of another issuer are published.
type Rules struct {
	// Issuer is the iss of its tokens. A key whose member issuer differs is skipped, as Microsoft Entra requires.
	Issuer string
	// Algorithms are the allowed algorithms of its tokens. A key without alg gets the first that fits. If empty, all
	// of api/jws are allowed, and an RSA key without alg gets RS256.
	Algorithms []string
	// SPIFFE selects the keys of a SPIFFE bundle with use jwt-svid (SPIFFE Trust Domain and Bundle section 4).
	SPIFFE bool
	// OwnedBy returns the name of the SigningKey with a key of this RFC 7638 thumbprint, or "". Such a key is
	// skipped, because its revocation would not affect the file of another issuer.
	OwnedBy func(thumbprint string) string
}

// Published is a key as published for verifiers.
type Published struct {
	issuerfiles.PublicKey
	Algorithm string
}

// Publish parses the JWKS of another issuer for distribution. Every returned key is public, strong and for
// signatures, and has a unique kid, a matching alg, and use "sig". It has only the members of its type, so that equal
// keys have equal bytes. A set without a usable key is an error, except for a tombstone of another Keywright, for
// which it returns no keys and no error.
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
	keys, twins := rules.resolveDuplicateKeyIDs(candidates)
	leftOut = append(leftOut, twins...)
	size := 0
	for _, k := range keys {
		size += len(k.JWK)
	}
	switch {
	case len(keys) == 0 && !entombed:
		return nil, leftOut, errors.New("has no usable key")
	case size > MaxPublishedBytes:
		return nil, leftOut, fmt.Errorf("has %d bytes of keys, and at most %d are published", size, MaxPublishedBytes)
	}
	return keys, leftOut, nil
}

// candidate is a publishable key, unless another one has its kid.
type candidate struct {
	Published
	thumbprint string
}

// candidate parses a key, or returns why it is skipped.
func (r Rules) candidate(member []byte) (candidate, LeftOut) {
	if r.SPIFFE {
		member = asSignatureKey(member)
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
	if r.OwnedBy != nil {
		if name := r.OwnedBy(thumbprint); name != "" {
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

// asSignatureKey replaces use jwt-svid of a SPIFFE bundle by sig.
func asSignatureKey(member []byte) []byte {
	var members map[string]*josejson.RawMessage
	if josejson.Unmarshal(member, &members) != nil {
		return member // the parser returns the error
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

// algorithmOf returns the alg for publication.
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
			return "", LeftOut{Reason: fmt.Sprintf("its type or curve does not fit its alg %s", key.Algorithm)}
		}
		return key.Algorithm, LeftOut{}
	}
	for _, name := range allowed {
		if Fits(name, key.Key) {
			return name, LeftOut{}
		}
	}
	return "", LeftOut{Reason: "it has no alg, and its type fits none of " + strings.Join(allowed, ", ")}
}

// resolveDuplicateKeyIDs skips keys with the same kid, since a token does not distinguish them. If the same key is
// listed for several algorithms, it keeps the first allowed one, because verifiers need one algorithm per key.
func (r Rules) resolveDuplicateKeyIDs(all []candidate) (keys []Published, leftOut []LeftOut) {
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
						KeyID: c.ID, Reason: fmt.Sprintf("the key %q is published with the alg %s only, not also with %s", c.ID, first.Algorithm, t.Algorithm),
					})
				}
			}
		}
	}
	return keys, leftOut
}

// rank returns the index of an algorithm among the allowed ones.
func (r Rules) rank(algorithm string) int { return slices.Index(r.Algorithms, algorithm) }

// issuerOf returns the member issuer of a key, which Microsoft Entra adds at its multi-tenant endpoints.
func issuerOf(member []byte) string {
	var k struct {
		Issuer string `json:"issuer"`
	}
	if josejson.Unmarshal(member, &k) != nil {
		return ""
	}
	return k.Issuer
}

// tenantID is the placeholder for the tenant in the issuer of Entra's keys and metadata.
const tenantID = "{tenantid}"

// sameIssuer reports whether the issuer of a key matches that of the tokens, where {tenantid} matches one path
// segment.
func sameIssuer(of, want string) bool {
	before, after, template := strings.Cut(of, tenantID)
	if !template {
		return of == want
	}
	rest, begins := strings.CutPrefix(want, before)
	tenant, ends := strings.CutSuffix(rest, after)
	return begins && ends && tenant != "" && !strings.Contains(tenant, "/")
}

// EncodeFile returns the file for verifiers: a JWKS, sorted by kid, or the tombstone of an algorithm without keys.
func EncodeFile(keys []Published, algorithm string) []byte {
	public := make([]issuerfiles.PublicKey, len(keys))
	for i, k := range keys {
		public[i] = k.PublicKey
	}
	return issuerfiles.EncodeKeySet(algorithm, public)
}

package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// generation is one version of a key set with all that is worked out from it, so that a token is judged by one version,
// and what was remembered under one is forgotten with it.
type generation struct {
	set      *KeySet
	digest   [sha256.Size]byte // of the bytes of the set
	revoked  *revoked          // what ended early
	list     [sha256.Size]byte // of the bytes of the revocation list, zero if there is none
	keyIDs   []string
	headers  map[string]*key // by the encoded header that the issuer writes
	typ      string          // that these headers have
	verified *memory
}

func newGeneration(set *KeySet, digest [sha256.Size]byte, config Config) *generation {
	g := &generation{
		set: set, digest: digest, revoked: &revoked{}, keyIDs: set.KeyIDs(), typ: config.Type,
		headers: make(map[string]*key, len(set.keys)), verified: newMemory(memoryBytes / len(config.bySource())),
	}
	for _, key := range set.keys {
		if header, ok := usualHeader(key, config.Type); ok {
			g.headers[header] = key
		}
	}
	return g
}

// with returns a generation with another revocation list. What was remembered under the old one is forgotten: a look into
// the memory then needs none into the list.
func (g *generation) with(r *revoked, list [sha256.Size]byte, config Config) *generation {
	next := newGeneration(g.set, g.digest, config)
	next.revoked, next.list = r, list
	return next
}

// usualHeader is the encoded header of every token that a key signs for this issuer: go-jose writes alg, kid and typ in
// this order. A name that JSON has to escape has none: written as it is, it could bring members of its own.
func usualHeader(k *key, typ string) (encoded string, ok bool) {
	escaped := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	if strings.ContainsFunc(k.id+typ, escaped) {
		return "", false
	}
	header := `{"alg":"` + string(k.algorithm) + `","kid":"` + k.id + `","typ":"` + typ + `"}`
	return base64.RawURLEncoding.EncodeToString([]byte(header)), true
}

// verify gives the same answer as KeySet.verify, sooner where the header is a usual one: what is equal to a header that
// was checked need not be decoded, parsed and checked again. FuzzFastPath compares the two.
func (g *generation) verify(compact string) (signed, error) {
	head, rest, _ := strings.Cut(compact, ".")
	claims, _, whole := strings.Cut(rest, ".")
	if k := g.headers[head]; k != nil && whole && len(compact) <= largestToken {
		return k.verify(compact, len(head), len(head)+1+len(claims), g.typ)
	}
	return g.set.verify(compact)
}

// verify checks the signature of a token whose header is the key's own, given where its dots are.
func (k *key) verify(compact string, first, second int, typ string) (signed, error) {
	var text, decoded [2 << 10]byte // spare most tokens the heap
	token := append(text[:0], compact...)
	payload, err := appendSegment(decoded[:0], 1, token[first+1:second])
	if err != nil {
		return signed{}, err
	}
	signature, err := appendSegment(payload[len(payload):], 2, token[second+1:])
	if err != nil {
		return signed{}, err
	}
	if !k.signed(token[:second], signature) {
		return signed{}, errForged
	}
	return signed{payload: string(payload), kid: k.id, typ: typ}, nil
}

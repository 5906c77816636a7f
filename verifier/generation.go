package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// contents is what a source said last: the last good key set, and the last good revocation list.
type contents struct {
	keys       *KeySet
	keysDigest [sha256.Size]byte // of the bytes of the set
	revoked    *revoked          // what ended early
	listDigest [sha256.Size]byte // of the bytes of the list, zero if there was none
}

// generation is one version of a key set and a revocation list with all that is worked out from them, so that a token is
// judged by one version, and what was remembered under one is forgotten with it: a token that is remembered need not be
// looked up in the list.
type generation struct {
	contents
	set      *KeySet // without the keys that the list revokes: the last good set may be older than the list
	keyIDs   []string
	headers  map[string]*key // by the encoded header that the issuer writes
	typ      string          // that these headers have
	verified *memory
}

func newGeneration(of contents, config Config) *generation {
	set := of.keys.without(of.revoked.keyIDs)
	g := &generation{
		contents: of, set: set, keyIDs: set.KeyIDs(), typ: config.Type,
		headers: make(map[string]*key, len(set.keys)), verified: newMemory(memoryBytes / len(config.bySource())),
	}
	for _, key := range set.keys {
		if header, ok := usualHeader(key, config.Type); ok {
			g.headers[header] = key
		}
	}
	return g
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
	if !k.genuine(compact[:second], token[:second], signature) {
		return signed{}, errForged
	}
	return signed{payload: string(payload), kid: k.id, typ: typ}, nil
}

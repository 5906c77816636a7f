package verifier

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// parsedContent is the last valid key set and the last valid revocation list of a source.
type parsedContent struct {
	keySet            *KeySet
	keySetDigest      [sha256.Size]byte // SHA-256 of the key set
	revocations       *revocationList
	revocationsDigest [sha256.Size]byte // SHA-256 of the revocation list, zero if there was none
}

// snapshot is one version of a key set and a revocation list, with the caches derived from it. A cached token was
// checked against the list of the same snapshot, so it need not be checked again.
type snapshot struct {
	parsedContent
	validKeys    *KeySet // without the keys that the list revokes
	keyIDs       []string
	keysByHeader map[string]*key // by encoded header
	typ          string          // the typ in these headers
	cache        *tokenCache
}

func newSnapshot(of parsedContent, config Config) *snapshot {
	set := of.keySet.withoutKeys(of.revocations.keyIDs)
	s := &snapshot{
		parsedContent: of, validKeys: set, keyIDs: set.KeyIDs(), typ: config.Type,
		keysByHeader: make(map[string]*key, len(set.keys)), cache: newTokenCache(cacheBytes / len(config.bySource())),
	}
	for _, key := range set.keys {
		if header, ok := expectedHeader(key, config.Type); ok {
			s.keysByHeader[header] = key
		}
	}
	return s
}

// expectedHeader returns the encoded header of the tokens that a key signs for this issuer: go-jose writes alg, kid
// and typ in this order. It returns false if a value needs escaping in JSON.
func expectedHeader(k *key, typ string) (encoded string, ok bool) {
	escaped := func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }
	if strings.ContainsFunc(k.id+typ, escaped) {
		return "", false
	}
	header := `{"alg":"` + string(k.algorithm) + `","kid":"` + k.id + `","typ":"` + typ + `"}`
	return base64.RawURLEncoding.EncodeToString([]byte(header)), true
}

// verify returns the same result as KeySet.verify. It is faster if the encoded header is an expected one, which need
// not be decoded and validated again. FuzzFastPath compares the two.
func (s *snapshot) verify(compact string) (signed, error) {
	head, rest, _ := strings.Cut(compact, ".")
	claims, _, whole := strings.Cut(rest, ".")
	if k := s.keysByHeader[head]; k != nil && whole && len(compact) <= largestToken {
		return k.verify(compact, len(head), len(head)+1+len(claims), s.typ)
	}
	return s.validKeys.verify(compact)
}

// verify verifies the signature of a token that has the key's expected header. first and second are the positions of
// its dots.
func (k *key) verify(compact string, first, second int, typ string) (signed, error) {
	var text, decoded [2 << 10]byte // avoids a heap allocation for most tokens
	token := append(text[:0], compact...)
	payload, err := appendSegment(decoded[:0], 1, token[first+1:second])
	if err != nil {
		return signed{}, err
	}
	signature, err := appendSegment(payload[len(payload):], 2, token[second+1:])
	if err != nil {
		return signed{}, err
	}
	if !k.verifySignature(compact[:second], token[:second], signature) {
		return signed{}, errForged
	}
	return signed{payload: string(payload), kid: k.id, typ: typ}, nil
}

package verifier

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// generationOf has the keys of a set as a Verifier for tokens of this type has them.
func generationOf(set *KeySet, typ string) *snapshot {
	return newSnapshot(parsedContent{keySet: set, revocations: &revocationList{}}, Config{Type: typ, Issuers: map[string]Source{testIssuer: File("main.json")}})
}

// The header that the issuer writes is recognized for each algorithm and type, and no other is.
func TestUsualHeaders(t *testing.T) {
	for _, key := range everyKey() {
		for _, typ := range []string{"at+jwt", "JWT"} {
			set := must(ParseKeySet(setOf(key.jwk())))
			g := generationOf(set, typ)
			signer := must(jose.NewSigner(jose.SigningKey{Algorithm: key.alg, Key: jose.JSONWebKey{Key: key.private, KeyID: key.id}},
				(&jose.SignerOptions{}).WithType(jose.ContentType(typ))))
			token := must(must(signer.Sign([]byte(goodClaims))).CompactSerialize())
			head, _, _ := strings.Cut(token, ".")
			if g.keysByHeader[head] == nil || len(g.keysByHeader) != 1 {
				t.Errorf("%s: the header that go-jose writes is not recognized", key.id)
			}
			g.validKeys = &KeySet{} // which would refuse it
			verified, err := g.verify(token)
			if err != nil || verified != (signed{payload: goodClaims, kid: key.id, typ: typ}) {
				t.Errorf("%s: %+v, %v", key.id, verified, err)
			}
		}
	}
}

// A kid that looks like a part of a header gives no header.
func TestUsualHeadersCannotBeInjected(t *testing.T) {
	evil := testKey{`es","typ":"at+jwt","x":"`, esKey().alg, esKey().private}
	g := generationOf(must(ParseKeySet(setOf(evil.jwk()))), "at+jwt")
	header := `{"alg":"ES256","kid":"` + evil.id + `","typ":"at+jwt"}`
	token := esKey().sign(header, goodClaims)
	_, strict := g.validKeys.verify(token)
	_, fast := g.verify(token)
	wantError(t, "strict", strict, ErrMalformed, token)
	wantError(t, "fast", fast, ErrMalformed, token)
}

// everyKey is a key of each algorithm.
func everyKey() []testKey {
	return []testKey{
		esKey(), edwardsKey(), rsaTestKey(),
		{"rs384", jose.RS384, rsaTestKey().private},
		{"rs512", jose.RS512, rsaTestKey().private},
		newECKey("es384", jose.ES384, elliptic.P384()),
		newECKey("es512", jose.ES512, elliptic.P521()),
	}
}

// sentinels are the errors that a signature can be refused with.
var sentinels = []error{ErrMalformed, ErrWrongAlgorithm, ErrUnknownKey, ErrBadSignature}

// sameAnswer gives a token to both paths, and fails if they say different things.
func sameAnswer(t *testing.T, g *snapshot, token string) {
	t.Helper()
	strictly, strict := g.validKeys.verify(token)
	fastly, fast := g.verify(token)
	kind := func(err error) int {
		return slices.IndexFunc(sentinels, func(one error) bool { return errors.Is(err, one) })
	}
	if (strict == nil) != (fast == nil) || kind(strict) != kind(fast) || strictly != fastly {
		t.Errorf("strict: %+v, %v\nfast:   %+v, %v\ntoken: %s", strictly, strict, fastly, fast, token)
	}
}

func TestFastPathRefusesWhatTheStrictPathRefuses(t *testing.T) {
	var jwks []map[string]any
	for _, key := range everyKey() {
		jwks = append(jwks, key.jwk())
	}
	g := generationOf(must(ParseKeySet(setOf(jwks...))), "at+jwt")
	for _, key := range everyKey()[:5] {
		good := key.good()
		head, rest, _ := strings.Cut(good, ".")
		claims, signature, _ := strings.Cut(rest, ".")
		size := len(must(jws.DecodeBase64(signature)))
		variants := []string{
			good, head, head + ".", head + "..", head + "." + claims, head + "." + claims + ".", head + ".." + signature, "." + rest,
			good + ".", good + "." + signature, good + "=", good + "\n", good + "A", head + ".\n" + rest, head + "." + claims + "\r." + signature,
			head + "." + claims + "A." + signature, otherKey().good(),
			head + "." + encode(strings.Repeat(" ", largestToken)) + "." + signature,
		}
		made := string(must(jws.DecodeBase64(signature)))
		for _, made := range []string{
			"\x00" + made[:size/2] + "\x00" + made[size/2:],
			strings.Repeat("\x00", size), strings.Repeat("\xff", size), strings.Repeat("\x00", size-1) + "\x01", "\x01",
			strings.Repeat("\x00", size/2-1) + "\x01" + strings.Repeat("\x00", size/2-1) + "\x01",
			strings.Repeat("\x80", size), strings.Repeat("\x7f", size-1), strings.Repeat("\x7f", size+1), strings.Repeat("\x01", 200),
		} {
			variants = append(variants, head+"."+claims+"."+encode(made))
		}
		for i := range len(good) {
			flipped := []byte(good)
			flipped[i] ^= 1
			variants = append(variants, string(flipped))
		}
		for _, token := range variants {
			sameAnswer(t, g, token)
		}
	}
}

// Signatures whose numbers are short or begin with a high bit are written in ASN.1 with a byte less or more.
func TestEveryShapeOfAnECDSASignature(t *testing.T) {
	for _, key := range []testKey{esKey(), everyKey()[5], everyKey()[6]} {
		set := must(ParseKeySet(setOf(key.jwk())))
		g := generationOf(set, "at+jwt")
		shapes := map[int]bool{}
		for range 60 {
			token := key.good()
			if _, err := g.verify(token); err != nil {
				t.Fatalf("%s: %v: %s", key.id, err, token)
			}
			signature := must(jws.DecodeBase64(token[strings.LastIndex(token, ".")+1:]))
			r, s := new(big.Int).SetBytes(signature[:len(signature)/2]), new(big.Int).SetBytes(signature[len(signature)/2:])
			shapes[len(must(asn1.Marshal([]*big.Int{r, s})))] = true
		}
		if len(shapes) < 2 {
			t.Errorf("%s: only the lengths %v were tried", key.id, shapes)
		}
	}
}

// FuzzFastPath gives both paths a token as it is, and one that is signed with the usual header. They must agree, and so
// must what is remembered.
func FuzzFastPath(f *testing.F) {
	set := must(ParseKeySet(setOf(esKey().jwk(), edwardsKey().jwk())))
	v := newVerifier(f, testConfig(f))
	strict := newVerifier(f, testConfig(f))
	g := generationOf(set, "at+jwt")
	for _, key := range []testKey{esKey(), edwardsKey(), otherKey()} {
		f.Add(key.good(), goodClaims)
	}
	head, rest, _ := strings.Cut(esKey().good(), ".")
	for _, token := range []string{head, head + "..", head + "." + rest + ".", head + ".." + rest, head + "." + rest + "\n", "." + rest} {
		f.Add(token, "{}")
	}
	f.Fuzz(func(t *testing.T, foreign, claims string) {
		for _, token := range []string{foreign, esKey().sign(esKey().header(), claims), edwardsKey().sign(edwardsKey().header(), claims)} {
			sameAnswer(t, g, token)
			first, firstError := v.Verify(t.Context(), token)
			again, againError := v.Verify(t.Context(), token)
			clear(strict.current().keysByHeader) // so that it knows no usual header
			other, otherError := strict.Verify(t.Context(), token)
			if reasonOf(firstError) != reasonOf(againError) || reasonOf(firstError) != reasonOf(otherError) {
				t.Fatalf("first %v, again %v, strict %v: %s", firstError, againError, otherError, token)
			}
			if firstError == nil && (again != first || other.payload != first.payload || other.keyID != first.keyID) {
				t.Errorf("accepted as three tokens: %+v, %+v, %+v", first, again, other)
			}
		}
	})
}

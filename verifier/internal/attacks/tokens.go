package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"
)

const (
	issuer   = "https://issuer.example.com"
	audience = "https://orders.example.com"
	now      = 1800000000

	goodHeader = `{"alg":"ES256","kid":"ec-1","typ":"at+jwt"}`
	goodClaims = `{"iss":"https://issuer.example.com","sub":"alice","aud":["https://orders.example.com"],"exp":1800000600,` +
		`"iat":1800000000,"nbf":1800000000,"jti":"id-1","client_id":"web","scope":"orders:read"}`
)

// builder collects the cases.
type builder struct {
	keys   keys
	tokens []attack
	sets   []keySets
	ended  []ended
	lists  []keySets

	requests []request
}

func (b *builder) token(class, name, token, want string) {
	b.tokens = append(b.tokens, attack{class, name, token, want})
}

// header adds a token of the EC key with another header.
func (b *builder) header(class, name, header, want string) {
	b.token(class, name, b.keys.ec.sign(header, goodClaims), want)
}

// claim adds a token of the EC key with claims in which old is replaced.
func (b *builder) claim(class, name, old, updated, want string) {
	b.token(class, name, b.keys.ec.sign(goodHeader, swap(goodClaims, old, updated)), want)
}

// swap replaces what must be there.
func swap(text, old, updated string) string {
	if !strings.Contains(text, old) {
		panic("not there: " + old)
	}
	return strings.Replace(text, old, updated, 1)
}

func (b *builder) valid() {
	for _, k := range []key{b.keys.ec, b.keys.ed, b.keys.rs} {
		b.token("valid", k.algorithm, k.sign(k.header(), goodClaims), "ok")
	}
	b.header("valid", "typ with application/", swap(goodHeader, "at+jwt", "application/at+JWT"), "ok")
	b.header("valid", "members in another order", `{"typ":"at+jwt","kid":"ec-1","alg":"ES256"}`, "ok")
	b.header("valid", "an unknown parameter", swap(goodHeader, "{", `{"x":1,`), "ok")
	b.claim("valid", "aud a string", `["https://orders.example.com"]`, `"https://orders.example.com"`, "ok")
	b.claim("valid", "expired within the skew", `1800000600,"iat":1800000000,"nbf":1800000000`, `1799999941,"iat":1799999000,"nbf":1799999000`, "ok")
}

// header is the one that the key's tokens have.
func (k key) header() string {
	return `{"alg":"` + k.algorithm + `","kid":"` + k.id + `","typ":"at+jwt"}`
}

func (b *builder) algorithms() {
	const none = "algorithm none"
	for _, spelling := range []string{"none", "None", "NONE", "nOnE", "", " none", "none\u0000"} {
		header := swap(goodHeader, `"ES256"`, string(must(json.Marshal(spelling))))
		input := encode(header) + "." + encode(goodClaims)
		b.token(none, "alg "+spelling+", no signature", input+".", "wrong_algorithm")
		b.token(none, "alg "+spelling+", a signature", b.keys.ec.sign(header, goodClaims), "wrong_algorithm")
	}
	b.header(none, "no alg", `{"kid":"ec-1","typ":"at+jwt"}`, "wrong_algorithm")
	b.header(none, "alg null", swap(goodHeader, `"ES256"`, "null"), "wrong_algorithm")
	b.header(none, "alg a list", swap(goodHeader, `"ES256"`, `["ES256"]`), "wrong_algorithm")
	b.header(none, "alg in lower case", swap(goodHeader, "ES256", "es256"), "wrong_algorithm")
	for _, k := range []key{b.keys.rs, b.keys.ec} {
		for name, secret := range asSecrets(k) {
			for _, kid := range []string{`"kid":"` + k.id + `",`, ""} {
				input := encode(`{"alg":"HS256",`+kid+`"typ":"at+jwt"}`) + "." + encode(goodClaims)
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(input))
				b.token("public key as a secret", k.algorithm+", "+name+", "+kid, input+"."+encode(string(mac.Sum(nil))), "wrong_algorithm")
			}
		}
	}
	sortTokens(b.tokens)
}

// asSecrets are the texts of a public key that libraries have been brought to take for the secret of an HMAC.
func asSecrets(k key) map[string][]byte {
	der := must(x509.MarshalPKIXPublicKey(k.private.Public()))
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	secrets := map[string][]byte{
		"PEM": block, "PEM without the last newline": block[:len(block)-1], "PEM after a space": append([]byte(" "), block...),
		"DER": der, "JWK": must(json.Marshal(k.jwk(nil))), "nothing": nil,
	}
	if public, ok := k.private.Public().(*rsa.PublicKey); ok {
		secrets["modulus"] = public.N.Bytes()
		secrets["PKCS #1 PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)})
	}
	return secrets
}

func (b *builder) keyConfusion() {
	const class = "key confusion"
	all := []key{b.keys.ec, b.keys.ed, b.keys.rs}
	for _, signer := range all {
		for _, named := range all {
			if signer.id == named.id {
				continue
			}
			b.token(class, signer.id+" signs as "+named.id, signer.sign(named.header(), goodClaims), "bad_signature")
			b.token(class, signer.id+" signs with its own alg under "+named.id,
				signer.sign(swap(signer.header(), signer.id, named.id), goodClaims), "wrong_algorithm")
		}
	}
	rs := b.keys.rs
	for _, alg := range []string{"RS384", "RS512", "PS256"} {
		b.token(class, "an RS256 key as "+alg, rs.sign(swap(rs.header(), "RS256", alg), goodClaims), "wrong_algorithm")
	}
	b.header(class, "an ES256 key as ES384", swap(goodHeader, "ES256", "ES384"), "wrong_algorithm")

	const retired = "retired and revoked keys"
	b.token(retired, "a key that is no longer in the set", b.keys.revoked.sign(b.keys.revoked.header(), goodClaims), "unknown_key")
	b.token(retired, "its signature under a kid that is there", b.keys.revoked.sign(goodHeader, goodClaims), "bad_signature")
}

func (b *builder) headers() {
	const kids = "kid injection"
	for name, kid := range map[string]string{
		"a path": "../../../../dev/null", "a longer path": "/var/run/keywright/jwks/ec-1", "a URL": "https://attacker.example.com/ec-1",
		"SQL": "ec-1' UNION SELECT 'secret", "LDAP": "*)(uid=*", "a NUL": "ec-1\u0000", "a shell": "ec-1;id", "upper case": "EC-1",
		"a space": "ec-1 ", "full width": "ｅｃ-1", "a part of a header": `ec-1","typ":"at+jwt`, "a prototype": "__proto__",
	} {
		b.header(kids, name, swap(goodHeader, `"ec-1"`, string(must(json.Marshal(kid)))), "unknown_key")
	}
	for name, kid := range map[string]string{"missing": ``, "empty": `"kid":"",`, "a number": `"kid":1,`, "a list": `"kid":["ec-1"],`, "null": `"kid":null,`, "long": `"kid":"` + strings.Repeat("k", 300) + `",`} {
		b.header(kids, name, swap(goodHeader, `"kid":"ec-1",`, kid), "malformed")
	}
	for i := range 4 {
		b.header("unknown kids", strings.Repeat("i", i+1), swap(goodHeader, "ec-1", encode(strings.Repeat("i", i+1))), "unknown_key")
	}

	const supplied = "header-supplied keys"
	jwk := string(must(json.Marshal(b.keys.attacker.jwk(map[string]any{"kid": "ec-9"}))))
	for name, member := range map[string]string{
		"jwk": `"jwk":` + jwk, "jwk null": `"jwk":null`, "jku": `"jku":"https://attacker.example.com/jwks"`,
		"jku at the issuer": `"jku":"https://issuer.example.com@attacker.example.com/jwks"`,
		"x5u":               `"x5u":"https://attacker.example.com/chain.pem"`, "x5c": `"x5c":["MIIB"]`,
	} {
		for _, kid := range []string{"ec-1", "ec-9"} {
			header := swap(goodHeader, `"ec-1"`, `"`+kid+`",`+member)
			b.token(supplied, name+", kid "+kid, b.keys.attacker.sign(header, goodClaims), "malformed")
		}
	}

	const crit = "critical extensions"
	for name, member := range map[string]string{
		"crit empty": `"crit":[]`, "crit unknown": `"crit":["exp"],"exp":1`, "crit absent": `"crit":["nobody"]`, "crit no list": `"crit":"exp"`,
		"b64 false": `"b64":false,"crit":["b64"]`, "b64 false alone": `"b64":false`, "b64 true": `"b64":true`,
	} {
		b.header(crit, name, swap(goodHeader, `"ec-1"`, `"ec-1",`+member), "malformed")
	}
	const bombs = "compression and key derivation"
	for name, member := range map[string]string{"zip": `"zip":"DEF"`, "p2c": `"p2c":2147483647,"p2s":"AAAA"`, "enc": `"enc":"A256GCM"`, "epk": `"epk":` + jwk} {
		b.header(bombs, name, swap(goodHeader, `"ec-1"`, `"ec-1",`+member), "malformed")
	}
	for _, alg := range []string{"dir", "A256KW", "RSA1_5", "RSA-OAEP-256", "ECDH-ES", "PBES2-HS512+A256KW"} {
		header := encode(`{"alg":"` + alg + `","enc":"A256GCM","kid":"rs-1","cty":"JWT","p2c":2147483647,"p2s":"AAAA","zip":"DEF"}`)
		b.token(bombs, "a JWE where a JWS is due, "+alg, header+".AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", "malformed")
	}

	const types = "type confusion"
	b.header(types, "no typ", swap(goodHeader, `,"typ":"at+jwt"`, ``), "wrong_type")
	for _, typ := range []string{
		"JWT", "dpop+jwt", "client-authentication+jwt", "logout+jwt", "at+jwt2", "text/at+jwt", "at+jwt ", "at+ȷwt", "",
	} {
		b.header(types, "typ "+typ, swap(goodHeader, "at+jwt", typ), "wrong_type")
	}
	b.header(types, "typ a list", swap(goodHeader, `"at+jwt"`, `["at+jwt"]`), "malformed")
	sortTokens(b.tokens)
}

func (b *builder) signatures() {
	const class = "signatures"
	for _, k := range []key{b.keys.ec, b.keys.ed, b.keys.rs} {
		good := k.sign(k.header(), goodClaims)
		cut := strings.LastIndexByte(good, '.')
		input, signature := good[:cut], must(base64.RawURLEncoding.DecodeString(good[cut+1:]))
		size := len(signature)
		with := func(name string, forged []byte, want string) {
			b.token(class, k.algorithm+": "+name, input+"."+base64.RawURLEncoding.EncodeToString(forged), want)
		}
		with("stripped", nil, "malformed")
		with("zeros", make([]byte, size), "bad_signature")
		with("ones", []byte(strings.Repeat("\xff", size)), "bad_signature")
		with("a byte", []byte{0}, "bad_signature")
		with("a byte less", signature[:size-1], "bad_signature")
		with("a byte more", append(signature[:size:size], 0), "bad_signature")
		with("a zero before", append([]byte{0}, signature...), "bad_signature")
		with("halves swapped", append(signature[size/2:size:size], signature[:size/2]...), "bad_signature")
		with("of the claims alone", k.signature(input[strings.IndexByte(input, '.')+1:]), "bad_signature")
		for _, bit := range []int{0, 7, size * 4, size*8 - 1} {
			flipped := append([]byte{}, signature...)
			flipped[bit/8] ^= 1 << (bit % 8)
			with("a bit flipped, of "+strings.Repeat("8", bit/8%9), flipped, "bad_signature")
		}
		b.token(class, k.algorithm+": other claims under it", swap(good, encode(goodClaims), encode(swap(goodClaims, "alice", "admin"))), "bad_signature")
		b.token(class, k.algorithm+": the attacker's", input+"."+encode(string(b.keys.attacker.signature(input))), "bad_signature")
		if private, ok := k.private.(*ecdsa.PrivateKey); ok {
			b.psychic(with, private, signature, input)
		}
	}
}

// psychic adds signatures whose numbers are at the edges of what ECDSA allows.
func (b *builder) psychic(with func(string, []byte, string), private *ecdsa.PrivateKey, signature []byte, input string) {
	pair := func(r, s *big.Int) []byte {
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	}
	zero, one, n, p := big.NewInt(0), big.NewInt(1), private.Params().N, private.Params().P
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	with("r = 0", pair(zero, s), "bad_signature")
	with("s = 0", pair(r, zero), "bad_signature")
	with("r = s = 1", pair(one, one), "bad_signature")
	with("r = s = n", pair(n, n), "bad_signature")
	with("r = s = p", pair(p, p), "bad_signature")
	with("r = n, s good", pair(n, s), "bad_signature")
	digest := sha256.Sum256([]byte(input))
	with("ASN.1", must(private.Sign(nil, digest[:], crypto.SHA256)), "bad_signature")
}

// raw takes a signature out of its ASN.1 form.
func raw(der []byte) []byte {
	var numbers struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &numbers); err != nil || len(rest) > 0 {
		panic("not a signature")
	}
	return append(numbers.R.FillBytes(make([]byte, 32)), numbers.S.FillBytes(make([]byte, 32))...)
}

package main

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

func (b *builder) encodings() {
	const class = "base64 and dots"
	good := b.keys.ec.sign(goodHeader, goodClaims)
	parts := strings.Split(good, ".")
	head, claims, signature := parts[0], parts[1], parts[2]
	for name, token := range map[string]string{
		"nothing": "", "one dot": ".", "two dots": "..", "a flood of dots": strings.Repeat(".", 8192), "header alone": head,
		"two segments": head + "." + claims, "a dot at the end": good + ".", "a dot before": "." + good, "four segments": good + "." + signature,
		"five segments": head + ".." + claims + "." + signature + "." + signature, "no header": "." + claims + "." + signature,
		"no payload": head + ".." + signature, "reordered": claims + "." + head + "." + signature, "padding": good + "==",
		"padding inside": head + "=." + claims + "." + signature, "standard alphabet": head + "." + claims + ".+/+/" + signature[4:],
		"a space before": " " + good, "a line break behind": good + "\n", "a line break in the header": head[:4] + "\n" + head[4:] + "." + claims + "." + signature,
		"a return in the claims": head + "." + claims[:4] + "\r" + claims[4:] + "." + signature, "a line break in the signature": good[:len(good)-3] + "\n" + good[len(good)-3:],
		"unused bits": good[:len(good)-1] + string(good[len(good)-1]+1), "percent encoding": strings.ReplaceAll(good, ".", "%2E"),
		"full-width dots": strings.ReplaceAll(good, ".", "．"), "a NUL": good + "\x00", "with its scheme": "Bearer " + good, "quoted": `"` + good + `"`,
		"a list": good + "," + good,
	} {
		want := "malformed"
		if name == "reordered" {
			want = "wrong_algorithm" // the claims are no header with an alg
		}
		b.token(class, name, token, want)
	}
	const serialization = "JSON serialization"
	b.token(serialization, "flattened", `{"protected":"`+head+`","payload":"`+claims+`","signature":"`+signature+`"}`, "malformed")
	b.token(serialization, "general", `{"payload":"`+claims+`","signatures":[{"protected":"`+head+`","signature":"`+signature+`"}]}`, "malformed")
	b.token(serialization, "unprotected header", `{"header":`+goodHeader+`,"payload":"`+claims+`","signature":"`+signature+`"}`, "malformed")
	const size = "size and depth"
	b.claim(size, "more than 8 KiB", `"sub":"alice"`, `"sub":"`+strings.Repeat("a", 6500)+`"`, "malformed")
	b.claim(size, "deep lists", `"sub":"alice"`, `"sub":"alice","x":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000), "malformed")
	b.claim(size, "deep objects", `"sub":"alice"`, `"sub":"alice","x":`+strings.Repeat(`{"a":`, 200)+"1"+strings.Repeat("}", 200), "malformed")
	b.claim(size, "never closed", `{`, strings.Repeat("[", 2000)+"{", "malformed")
	b.header(size, "a deep header", swap(goodHeader, `"ec-1"`, `"ec-1","x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)), "malformed")
	b.header(size, "a long header", swap(goodHeader, `"ec-1"`, `"ec-1","x":"`+strings.Repeat("x", 3000)+`"`), "malformed")
	sortTokens(b.tokens)
}

func (b *builder) json() {
	const class = "JSON that two readers read in two ways"
	b.header(class, "alg twice", swap(goodHeader, "{", `{"alg":"none",`), "malformed")
	b.header(class, "kid twice", swap(goodHeader, "{", `{"kid":"ec-0",`), "malformed")
	b.header(class, "alg twice by an escape", swap(goodHeader, "{", `{"\u0061lg":"none",`), "malformed")
	b.header(class, "two objects", goodHeader+goodHeader, "malformed")
	b.header(class, "a list", "["+goodHeader+"]", "malformed")
	b.header(class, "null", "null", "malformed")
	b.header(class, "a byte order mark", "\ufeff"+goodHeader, "malformed")
	b.header(class, "UTF-16", strings.Join(strings.Split(goodHeader, ""), "\x00")+"\x00", "malformed")
	for name, claims := range map[string]string{
		"sub twice":                  swap(goodClaims, `"sub":"alice"`, `"sub":"alice","sub":"admin"`),
		"exp twice":                  swap(goodClaims, `"exp":1800000600`, `"exp":1,"exp":1800000600`),
		"a member twice below":       swap(goodClaims, `"sub":"alice"`, `"sub":"alice","x":[{"a":1,"a":2}]`),
		"sub twice by an escape":     swap(goodClaims, `"sub":"alice"`, `"sub":"alice","\u0073ub":"admin"`),
		"invalid UTF-8":              swap(goodClaims, "alice", "ali\xffce"),
		"an overlong encoding":       swap(goodClaims, "alice", "ali\xc0\x80ce"),
		"half a surrogate pair":      swap(goodClaims, "alice", `ali\ud800ce`),
		"the halves the wrong way":   swap(goodClaims, "alice", `ali\udc00\ud800ce`),
		"text behind":                goodClaims + "x",
		"another object behind":      goodClaims + `{"sub":"admin"}`,
		"a comma at the end":         swap(goodClaims, `"orders:read"}`, `"orders:read",}`),
		"a comment":                  swap(goodClaims, "{", "{/* */"),
		"single quotes":              strings.ReplaceAll(goodClaims, `"`, `'`),
		"a list":                     "[" + goodClaims + "]",
		"a string":                   string(must(json.Marshal(goodClaims))),
		"null":                       "null",
		"a token inside":             b.keys.ec.sign(goodHeader, goodClaims),
		"exp in another case":        swap(goodClaims, `"exp"`, `"Exp"`),
		"exp under a prototype":      swap(goodClaims, `"exp":1800000600`, `"__proto__":{"exp":1800000600}`),
		"a number with leading zero": swap(goodClaims, `"exp":1800000600`, `"exp":01800000600`),
		"NaN":                        swap(goodClaims, `"exp":1800000600`, `"exp":NaN`),
	} {
		b.token(class, name, b.keys.ec.sign(goodHeader, claims), "malformed")
	}
	sortTokens(b.tokens)
}

func (b *builder) claims() {
	const issuers, audiences = "replay across issuers", "replay across audiences"
	for _, other := range []string{issuer + "/", "https://issuer.example", issuer + ".attacker.com", "https://ISSUER.example.com", "http://issuer.example.com", "https://іssuer.example.com", "https://other.example.com", issuer + "#"} {
		b.claim(issuers, other, issuer, other, "wrong_issuer")
	}
	b.claim(issuers, "a list", `"https://issuer.example.com"`, `["https://issuer.example.com"]`, "malformed")
	b.claim(issuers, "missing", `"iss":"https://issuer.example.com",`, "", "malformed")
	list := `["https://orders.example.com"]`
	for name, other := range map[string]string{
		"another service": `["https://billing.example.com"]`, "a slash": `["https://orders.example.com/"]`, "none": "[]", "empty": `""`,
		"several in one string": `"https://orders.example.com https://billing.example.com"`, "a prefix": `"https://orders"`, "the client": `"web"`,
	} {
		b.claim(audiences, name, list, other, "wrong_audience")
	}
	for name, other := range map[string]string{"null": "null", "an object": `{"https://orders.example.com":true}`, "nested": "[" + list + "]", "a number within": `["https://orders.example.com",1]`} {
		b.claim(audiences, name, list, other, "malformed")
	}
	const times = "time"
	for name, value := range map[string]string{
		"null": "null", "a string": `"1800000600"`, "a fraction": "1800000600.5", "an exponent": "1.8e9", "negative": "-1", "2^53": "9007199254740993",
		"2^63": "9223372036854775808", "1e400": "1e400", "in milliseconds": "1800000600000", "true": "true", "a list": "[1800000600]",
	} {
		b.claim(times, "exp "+name, `"exp":1800000600`, `"exp":`+value, "malformed")
	}
	b.claim(times, "exp missing", `"exp":1800000600,`, "", "malformed")
	b.claim(times, "expired", `1800000600,"iat":1800000000,"nbf":1800000000`, `1799999940,"iat":1799999000,"nbf":1799999000`, "expired")
	b.claim(times, "exp 0", `1800000600,"iat":1800000000,"nbf":1800000000`, `0`, "expired")
	b.claim(times, "exp before iat", `1800000600,"iat":1800000000`, `1799999999,"iat":1800000000`, "malformed")
	b.claim(times, "nbf in the future", `"nbf":1800000000`, `"nbf":1800000061`, "not_yet_valid")
	b.claim(times, "iat in the future", `"iat":1800000000`, `"iat":1800000061`, "not_yet_valid")
	b.claim(times, "iat a string", `"iat":1800000000`, `"iat":"1800000000"`, "malformed")
	b.claim(times, "nbf null", `"nbf":1800000000`, `"nbf":null`, "malformed")
	const forms = "claims of another form"
	for _, change := range [][3]string{
		{"sub missing", `"sub":"alice",`, ""},
		{"sub empty", `"alice"`, `""`},
		{"sub a number", `"alice"`, "1"},
		{"sub a list", `"alice"`, `["alice"]`},
		{"sub with a NUL", "alice", `alice\u0000`},
		{"sub with a line break", "alice", `alice\nadmin`},
		{"jti a number", `"id-1"`, "1"},
		{"client_id null", `"web"`, "null"},
		{"scope a list", `"orders:read"`, `["orders:read","admin"]`},
		{"scope with a tab", "orders:read", `orders:read\tadmin`},
		{"scope with another space", "orders:read", "orders:read\u00a0admin"},
		{"scope with a quote", "orders:read", `orders:read\"`},
	} {
		b.claim(forms, change[0], change[1], change[2], "malformed")
	}
	sortTokens(b.tokens)
}

func (b *builder) keySets() {
	const class = "key sets"
	ec, ed, rs := b.keys.ec, b.keys.ed, b.keys.rs
	add := func(name string, jwks ...map[string]any) {
		text := must(json.Marshal(map[string]any{"keys": jwks}))
		b.sets = append(b.sets, keySets{class, name, string(text)})
	}
	change := func(k key, name string, value any) map[string]any { return k.jwk(map[string]any{name: value}) }
	add("no alg: the token would choose", change(ec, "alg", nil))
	add("no kid", change(ec, "kid", nil))
	add("no use", change(ec, "use", nil))
	add("for encryption", change(ec, "use", "enc"))
	add("key_ops without verify", change(ec, "key_ops", []string{"sign"}))
	add("alg none", change(ec, "alg", "none"))
	add("alg of an HMAC", change(rs, "alg", "HS256"))
	add("a symmetric key", map[string]any{"kty": "oct", "kid": "s", "alg": "HS256", "use": "sig", "k": "AAAA"})
	add("a private key", change(ec, "d", "AAAA"))
	add("one kid, two keys", ec.jwk(nil), b.keys.attacker.jwk(nil))
	add("alg of another curve", change(ec, "alg", "ES384"))
	add("a point off its curve", change(ec, "y", ec.jwk(nil)["x"]))
	add("the point at infinity", ec.jwk(map[string]any{"x": encode(strings.Repeat("\x00", 32)), "y": encode(strings.Repeat("\x00", 32))}))
	add("an Ed25519 key of small order", change(ed, "x", encode("\x01"+strings.Repeat("\x00", 31))))
	add("an RSA key of 1024 bits", change(rs, "n", encode(string(prime("p").Bytes()))))
	add("an RSA key of 16384 bits", change(rs, "n", encode(string(odd(16384)))))
	add("e = 1", change(rs, "e", "AQ"))
	add("e = 3", change(rs, "e", "Aw"))
	add("e even", change(rs, "e", encode("\x01\x00\x02")))
	add("n even", change(rs, "n", encode(string(new(big.Int).Lsh(big.NewInt(1), 2047).Bytes()))))
	good := string(must(json.Marshal(b.keys.set())))
	for _, set := range [][2]string{
		{"half written", good[:len(good)/2]},
		{"empty", ""},
		{"no set", "{}"},
		{"keys twice", swap(good, "{", `{"keys":[],`)},
		{"kid twice in one key", swap(good, `"kid":"ec-1"`, `"kid":"ec-1","kid":"ec-2"`)},
		{"a PEM file", "-----BEGIN PUBLIC KEY-----\n"},
		{"deep", strings.Repeat(`{"keys":[`, 100)},
	} {
		b.sets = append(b.sets, keySets{class, set[0], set[1]})
	}
}

func odd(bits uint) []byte {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return n.SetBit(n, 0, 1).Bytes()
}

// sortTokens puts cases that come out of maps into an order.
func sortTokens(tokens []attack) {
	slices.SortStableFunc(tokens, func(a, b attack) int {
		if a.Class != b.Class {
			return strings.Compare(a.Class, b.Class)
		}
		return strings.Compare(a.Name, b.Name)
	})
}

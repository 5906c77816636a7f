package main

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"

	jose "github.com/go-jose/go-jose/v4"
)

// request is one whose token may be bound to a key of its sender (RFC 9449): without queries in its URL, with what stands in
// Authorization and in each DPoP header. It is sent a number of times; Want is for the last. A verifier takes bearer tokens and DPoP.
type request struct {
	Class         string   `json:"class"`
	Name          string   `json:"name"`
	Method        string   `json:"method"`
	URL           string   `json:"url"`
	Authorization string   `json:"authorization"`
	Proofs        []string `json:"proofs"`
	Sent          int      `json:"sent"`
	Want          string   `json:"want"`
}

const resource = audience + "/orders"

// prover is a client with the key that its tokens are bound to.
type prover struct{ key }

func (p prover) public() string {
	return string(must(json.Marshal(jose.JSONWebKey{Key: p.private.Public()})))
}

func (p prover) thumbprint() string {
	public := jose.JSONWebKey{Key: p.private.Public()}
	return base64.RawURLEncoding.EncodeToString(must(public.Thumbprint(crypto.SHA256)))
}

func (p prover) header() string {
	return `{"typ":"dpop+jwt","alg":"` + p.algorithm + `","jwk":` + p.public() + `}`
}

// proofFor is what a proof says of a GET of the resource with a token.
func proofFor(token string) string {
	sum := sha256.Sum256([]byte(token))
	return `{"jti":"p-1","htm":"GET","htu":"` + resource + `","iat":1800000000,"ath":"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"}`
}

// bound is a token with a cnf.
func (b *builder) bound(cnf string) string {
	return b.keys.ec.sign(goodHeader, swap(goodClaims, `"jti":"id-1"`, `"jti":"id-1","cnf":`+cnf))
}

func (b *builder) request(class, name, authorization, want string, proofs ...string) {
	b.requests = append(b.requests, request{class, name, "GET", resource, authorization, append([]string{}, proofs...), 1, want})
}

func (b *builder) boundTokens() {
	const class = "bound tokens"
	client, thief := prover{b.keys.client}, prover{b.keys.attacker}
	token := b.bound(`{"jkt":"` + client.thumbprint() + `"}`)
	good := client.sign(client.header(), proofFor(token))
	plain := b.keys.ec.sign(goodHeader, goodClaims)
	digest := strings.Repeat("A", 43)
	b.request("valid", "a bound token with its proof", "DPoP "+token, "ok", good)
	b.request("valid", "a bearer token", "Bearer "+plain, "ok")
	b.request("valid", "a proof a minute old", "DPoP "+token, "ok", client.sign(client.header(), swap(proofFor(token), "1800000000", "1799999940")))
	b.request("valid", "a proof with EdDSA", "DPoP "+b.bound(`{"jkt":"`+prover{b.keys.ed}.thumbprint()+`"}`), "ok",
		b.keys.ed.sign(prover{b.keys.ed}.header(), proofFor(b.bound(`{"jkt":"`+prover{b.keys.ed}.thumbprint()+`"}`))))
	b.request(class, "stolen, as a bearer token", "Bearer "+token, "proof")
	b.request(class, "stolen with a proof, as a bearer token", "Bearer "+token, "proof", good)
	b.request(class, "stolen, without a proof", "DPoP "+token, "proof")
	b.request(class, "stolen, with the thief's proof", "DPoP "+token, "proof", thief.sign(thief.header(), proofFor(token)))
	b.request(class, "a bearer token as a bound one", "DPoP "+plain, "proof", thief.sign(thief.header(), proofFor(plain)))
	b.request(class, "bound to a certificate, without TLS", "Bearer "+b.bound(`{"x5t#S256":"`+digest+`"}`), "proof")
	b.request(class, "bound to something unknown", "Bearer "+b.bound(`{"osc":{"id":"1"}}`), "proof")
	b.request(class, "bound to a key and something unknown", "DPoP "+b.bound(`{"jkt":"`+client.thumbprint()+`","osc":{}}`), "proof", good)
	b.request(class, "bound to a key in full", "Bearer "+b.bound(`{"jwk":`+thief.public()+`}`), "proof")
	b.request(class, "bound to nothing", "Bearer "+b.bound(`{}`), "proof")
	b.request(class, "cnf null", "Bearer "+b.bound(`null`), "malformed")
	b.request(class, "cnf a text", "Bearer "+b.bound(`"`+client.thumbprint()+`"`), "malformed")
	b.request(class, "jkt a list", "DPoP "+b.bound(`{"jkt":["`+client.thumbprint()+`"]}`), "malformed", good)
	b.request(class, "jkt cut", "DPoP "+b.bound(`{"jkt":"`+client.thumbprint()[:42]+`"}`), "malformed", good)
	forged := thief.sign(goodHeader, swap(goodClaims, `"jti":"id-1"`, `"jti":"id-1","cnf":{"jkt":"`+thief.thumbprint()+`"}`))
	b.request(class, "bound by a thief to a key of his", "DPoP "+forged, "bad_signature", thief.sign(thief.header(), proofFor(forged)))
}

func (b *builder) proofs() {
	const class = "proofs of possession"
	client, thief := prover{b.keys.client}, prover{b.keys.attacker}
	token := b.bound(`{"jkt":"` + client.thumbprint() + `"}`)
	claims, header := proofFor(token), client.header()
	good := client.sign(header, claims)
	input := encode(`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte{0, 0, 0})
	mac.Write([]byte(input))
	for _, forged := range [][]string{ // a name, and what stands in each header
		{"two headers", good, good},
		{"two in one header", good + ", " + good},
		{"empty", ""},
		{"an access token", token},
		{"too large", client.sign(header, swap(claims, "{", `{"x":"`+strings.Repeat("x", 4<<10)+`",`))},
		{"alg none, no signature", encode(swap(header, "ES256", "none")) + "." + encode(claims) + "."},
		{"HS256", input + "." + encode(string(mac.Sum(nil)))},
		{"signed by a thief", thief.sign(header, claims)},
		{"a signature stripped", good[:strings.LastIndexByte(good, '.')+1]},
		{"other claims under a signature", swap(good, encode(claims), encode(swap(claims, "p-1", "p-2")))},
	} {
		b.request(class, forged[0], "DPoP "+token, "proof", forged[1:]...)
	}
	for _, change := range claimsOfProofs() {
		b.request(class, change[0], "DPoP "+token, "proof", client.sign(header, swap(claims, change[1], change[2])))
	}
	for _, change := range headersOfProofs(client, thief) {
		b.request(class, change[0], "DPoP "+token, "proof", client.sign(swap(header, change[1], change[2]), claims))
	}
	b.requests = append(b.requests,
		request{class, "replayed", "GET", resource, "DPoP " + token, []string{good}, 2, "replayed"},
		request{class, "taken to another method", "POST", resource, "DPoP " + token, []string{good}, 1, "proof"},
		request{class, "taken to another URL", "GET", resource + "/1", "DPoP " + token, []string{good}, 1, "proof"})
}

// claimsOfProofs are a name each, what is replaced in good claims, and by what.
func claimsOfProofs() [][3]string {
	return [][3]string{
		{"of another URL", resource, resource + "/1"},
		{"of another host", "orders.example.com", "attacker.example.com"},
		{"of a host that begins so", "orders.example.com", "orders.example.com.attacker.example.com"},
		{"of a user at another host", "orders.example.com", "orders.example.com@attacker.example.com"},
		{"of another path, as escapes", "/orders", "/%6Frders%2F1"},
		{"of the URL over http", "https", "http"},
		{"of another method", "GET", "POST"},
		{"of the method in another case", "GET", "get"},
		{"of another token", `"ath":"`, `"ath":"AAAA`},
		{"of no token", `"ath"`, `"x"`},
		{"from the future", "1800000000", "1800000061"},
		{"from the past", "1800000000", "1799999939"},
		{"in milliseconds", "1800000000", "1800000000000"},
		{"without iat", `"iat":1800000000,`, ""},
		{"without jti", `"jti":"p-1",`, ""},
		{"jti empty", "p-1", ""},
		{"jti of 256 bytes", "p-1", strings.Repeat("j", 256)},
		{"a claim twice", "{", `{"htm":"POST",`},
		{"htu a list", `"` + resource + `"`, `["` + resource + `"]`},
	}
}

// headersOfProofs are likewise of a good header.
func headersOfProofs(client, thief prover) [][3]string {
	return [][3]string{
		{"jwk private", `"kty":"EC"`, `"kty":"EC","d":"AAAA"`},
		{"jwk of another", client.public(), thief.public()},
		{"jwk symmetric", client.public(), `{"kty":"oct","k":"AAAA"}`},
		{"jwk twice", "{\"typ", `{"jwk":` + thief.public() + `,"typ`},
		{"kid in the place of jwk", `"jwk":` + client.public(), `"kid":"ec-1"`},
		{"jku beside jwk", "{\"typ", `{"jku":"https://attacker.example.com/jwks","typ`},
		{"crit", "{\"typ", `{"crit":["exp"],"exp":1,"typ`},
		{"b64 false", "{\"typ", `{"crit":["b64"],"b64":false,"typ`},
		{"typ of an access token", "dpop+jwt", "at+jwt"},
		{"no typ", `"typ":"dpop+jwt",`, ""},
		{"alg none", "ES256", "none"},
	}
}

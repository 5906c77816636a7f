package dpop_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/dpop"
)

func TestCheck(t *testing.T) {
	for _, c := range []client{ecClient(), edClient(), rsaClient(), {"Ed25519", edClient().private}} {
		proof, err := dpop.Check([]string{c.good()}, method, "https://alias.example.com", target)
		if err != nil {
			t.Errorf("%s: %v", c.alg, err)
			continue
		}
		want := &dpop.Proof{
			Thumbprint: c.thumbprint(), ID: "id-1", IssuedAt: now, AccessTokenHash: "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo",
		}
		if diff := cmp.Diff(want, proof); diff != "" {
			t.Errorf("%s: difference (-want +got):\n%s", c.alg, diff)
		}
	}
}

// The examples of RFC 9449: figure 2 with figure 3 for a token endpoint, figure 12 with figure 13 for a resource.
func TestCheckReadsTheExamplesOfTheRFC(t *testing.T) {
	const head = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19."
	proof, err := dpop.Check([]string{head + "eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjY1Mjk2fQ." +
		"pAqut2IRDm_De6PR93SYmGBPXpwrAk90e8cP2hjiaG5QsGSuKDYW7_X620BxqhvYC8ynrrvZLTk41mSRroapUA"}, "POST", "https://server.example.com/token")
	if err != nil || proof.ID != "-BwC3ESc6acc2lTc" || proof.IssuedAt.Unix() != 1562265296 || proof.Thumbprint != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("%+v, %v", proof, err)
	}
	const token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
	proof, err = dpop.Check([]string{head + "eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
		"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"}, "GET", "https://resource.example.org/protectedresource")
	if err != nil || proof.AccessTokenHash != dpop.AccessTokenHash(token) {
		t.Errorf("%+v, %v", proof, err)
	}
}

// Each of the checks of RFC 9449 section 4.3 that need nothing but the request, by its number. Of 10, 11 and 12 the values are handed
// over (TestCheck, TestCheckHandsOver); the verifier and the issuer check them.
func TestEachCheckOfSection4_3(t *testing.T) {
	ec := ecClient()
	header := func(old, updated string) string { return ec.sign(replaced(t, ec.header(), old, updated), claims) }
	claim := func(old, updated string) string { return ec.sign(ec.header(), replaced(t, claims, old, updated)) }
	var private map[string]any
	must(0, json.Unmarshal(must(json.Marshal(jose.JSONWebKey{Key: ec.private})), &private))
	privateKey := string(must(json.Marshal(private)))
	for _, row := range []struct {
		name   string
		values []string
		want   error
	}{
		{"1: no header", nil, dpop.ErrMissing},
		{"1: two headers", []string{ec.good(), ec.good()}, dpop.ErrSeveral},
		{"2: two in one header", []string{ec.good() + ", " + ec.good()}, dpop.ErrMalformed},
		{"2: no JWT", []string{"proof"}, dpop.ErrMalformed},
		{"3: no jti", []string{claim(`"jti":"id-1",`, ``)}, dpop.ErrClaims},
		{"3: no htm", []string{claim(`"htm":"POST",`, ``)}, dpop.ErrClaims},
		{"3: no htu", []string{claim(`"htu":"https://orders.example.com/orders",`, ``)}, dpop.ErrClaims},
		{"3: no iat", []string{claim(`"iat":1800000000,`, ``)}, dpop.ErrClaims},
		{"4: another typ", []string{header("dpop+jwt", "JWT")}, dpop.ErrType},
		{"4: no typ", []string{header(`"typ":"dpop+jwt",`, "")}, dpop.ErrType},
		{"5: none", []string{header("ES256", "none")}, dpop.ErrAlgorithm},
		{"5: symmetric", []string{header("ES256", "HS256")}, dpop.ErrAlgorithm},
		{"6: the signature of another key", []string{otherClient().sign(ec.header(), claims)}, dpop.ErrSignature},
		{"7: a private key", []string{header(ec.jwk(), privateKey)}, dpop.ErrPrivateKey},
		{"8: another method", []string{claim("POST", "GET")}, dpop.ErrMethod},
		{"8: the method in another case", []string{claim("POST", "post")}, dpop.ErrMethod},
		{"9: another path", []string{claim("com/orders", "com/orders/1")}, dpop.ErrURL},
		{"9: another host", []string{claim("orders.example.com", "orders.example.org")}, dpop.ErrURL},
		{"9: another scheme", []string{claim("https", "http")}, dpop.ErrURL},
	} {
		refused(t, row.name, row.want, row.values...)
	}
}

// refused checks that a proof is refused for a reason, in words that quote none of it.
func refused(t *testing.T, name string, want error, values ...string) {
	t.Helper()
	proof, err := dpop.Check(values, method, target)
	if !errors.Is(err, want) || proof != nil {
		t.Errorf("%s: got %v, want %v", name, err, want)
		return
	}
	for _, value := range values {
		for _, segment := range append(strings.Split(value, "."), "jti-id-1", "orders.example") {
			if len(segment) > 7 && strings.Contains(err.Error(), strings.TrimPrefix(segment[:8], "jti-")) {
				t.Errorf("%s: the error quotes the proof: %v", name, err)
			}
		}
	}
}

func TestMaliciousProofs(t *testing.T) {
	ec, ed, rs := ecClient(), edClient(), rsaClient()
	header := func(member string) string {
		return ec.sign(replaced(t, ec.header(), `"typ":"dpop+jwt"`, `"typ":"dpop+jwt",`+member), claims)
	}
	key := func(jwk string) string { return ec.sign(replaced(t, ec.header(), ec.jwk(), jwk), claims) }
	inKey := func(member string) string { return key(replaced(t, ec.jwk(), `"kty":"EC"`, `"kty":"EC",`+member)) }
	claim := func(old, updated string) string { return ec.sign(ec.header(), replaced(t, claims, old, updated)) }
	good := ec.good()
	segments := strings.Split(good, ".")
	secret := []byte(strings.Repeat("secret", 6))
	for _, row := range []struct {
		name, proof string
		want        error
	}{
		{"nothing", "", dpop.ErrMalformed},
		{"too large", good + strings.Repeat("A", 4<<10), dpop.ErrMalformed},
		{"too large claims", ec.sign(ec.header(), replaced(t, claims, "{", `{"x":"`+strings.Repeat("a", 3<<10)+`",`)), dpop.ErrMalformed},
		{"a flood of dots", strings.Repeat(".", 4<<10), dpop.ErrMalformed},
		{"a fourth segment", good + ".AAAA", dpop.ErrMalformed},
		{"no signature", segments[0] + "." + segments[1] + ".", dpop.ErrMalformed},
		{"no claims", segments[0] + ".." + segments[2], dpop.ErrMalformed},
		{"padding", good + "==", dpop.ErrMalformed},
		{"a line break", good[:9] + "\n" + good[9:], dpop.ErrMalformed},
		{"another alphabet", segments[0] + "." + segments[1] + ".+/" + segments[2][2:], dpop.ErrMalformed},
		{"unused bits", good[:len(good)-1] + string(good[len(good)-1]+1), dpop.ErrMalformed},
		{"an encrypted one", "AAAA.AAAA.AAAA.AAAA.AAAA", dpop.ErrMalformed},
		{"JSON serialization", `{"protected":"` + segments[0] + `","payload":"` + segments[1] + `","signature":"` + segments[2] + `"}`, dpop.ErrMalformed},

		{"alg none, no signature", encode(replaced(t, ec.header(), "ES256", "none")) + "." + encode(claims) + ".", dpop.ErrMalformed},
		{"alg nOnE", ec.sign(replaced(t, ec.header(), "ES256", "nOnE"), claims), dpop.ErrAlgorithm},
		{"no alg", ec.sign(replaced(t, ec.header(), `"alg":"ES256",`, ""), claims), dpop.ErrAlgorithm},
		{"alg a list", ec.sign(replaced(t, ec.header(), `"ES256"`, `["ES256"]`), claims), dpop.ErrAlgorithm},
		{"alg in lower case", ec.sign(replaced(t, ec.header(), "ES256", "es256"), claims), dpop.ErrAlgorithm},
		{"HS256 with an octet key", mac(`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"`+encode(string(secret))+`"}}`, claims, secret), dpop.ErrAlgorithm},
		{"HS256 with the public key", mac(replaced(t, ec.header(), "ES256", "HS256"), claims, []byte(ec.jwk())), dpop.ErrAlgorithm},
		{"PS256", rs.sign(replaced(t, rs.header(), "RS256", "PS256"), claims), dpop.ErrAlgorithm},
		{"RS512", rs.sign(replaced(t, rs.header(), "RS256", "RS512"), claims), dpop.ErrAlgorithm},
		{"ES384", ec.sign(replaced(t, ec.header(), "ES256", "ES384"), claims), dpop.ErrAlgorithm},

		{"kid in the place of jwk", ec.sign(`{"typ":"dpop+jwt","alg":"ES256","kid":"1"}`, claims), dpop.ErrKey},
		{"jwk null", key("null"), dpop.ErrKey},
		{"jwk a list", key("[" + ec.jwk() + "]"), dpop.ErrKey},
		{"jwk a text", key(`"key"`), dpop.ErrKey},
		{"jwk a thumbprint", key(`{"jkt":"` + ec.thumbprint() + `"}`), dpop.ErrKey},
		{"a private member", inKey(`"d":"AAAA"`), dpop.ErrPrivateKey},
		{"a private member null", inKey(`"d":null`), dpop.ErrPrivateKey},
		{"a private prime", rs.sign(replaced(t, rs.header(), `"kty":"RSA"`, `"kty":"RSA","p":"AQAB"`), claims), dpop.ErrPrivateKey},
		{"the other prime", rs.sign(replaced(t, rs.header(), `"kty":"RSA"`, `"kty":"RSA","q":"AQAB"`), claims), dpop.ErrPrivateKey},
		{"a private exponent of a prime", rs.sign(replaced(t, rs.header(), `"kty":"RSA"`, `"kty":"RSA","dp":"AQAB"`), claims), dpop.ErrPrivateKey},
		{"an octet key", key(`{"kty":"oct","k":"AAAA"}`), dpop.ErrPrivateKey},
		{"a symmetric member", inKey(`"k":"AAAA"`), dpop.ErrPrivateKey},
		{"a key of another type", key(ed.jwk()), dpop.ErrKey},
		{"an EC key as RS256", ec.sign(replaced(t, ec.header(), "ES256", "RS256"), claims), dpop.ErrKey},
		{"a kty of another type", key(replaced(t, ec.jwk(), `"kty":"EC"`, `"kty":"RSA"`)), dpop.ErrKey},
		{"another curve", key(replaced(t, ec.jwk(), "P-256", "P-384")), dpop.ErrKey},
		{"secp256k1", key(replaced(t, ec.jwk(), "P-256", "secp256k1")), dpop.ErrKey},
		{"X25519", ed.sign(replaced(t, ed.header(), "Ed25519", "X25519"), claims), dpop.ErrKey},
		{"an RSA key with a curve", rs.sign(replaced(t, rs.header(), `"kty":"RSA"`, `"kty":"RSA","crv":"P-256"`), claims), dpop.ErrKey},
		{"an RSA key with a curve, as ES256", rs.sign(replaced(t, replaced(t, rs.header(), "RS256", "ES256"), `"kty":"RSA"`, `"kty":"RSA","crv":"P-256"`), claims), dpop.ErrKey},
		{"a point off the curve", key(`{"kty":"EC","crv":"P-256","x":"` + encode(strings.Repeat("x", 32)) + `","y":"` + encode(strings.Repeat("x", 32)) + `"}`), dpop.ErrKey},
		{"the point at infinity", key(`{"kty":"EC","crv":"P-256","x":"` + encode(strings.Repeat("\x00", 32)) + `","y":"` + encode(strings.Repeat("\x00", 32)) + `"}`), dpop.ErrKey},
		{"a short coordinate", key(`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`), dpop.ErrKey},
		{"a long coordinate", key(replaced(t, ec.jwk(), `"x":"`, `"x":"AAAA`)), dpop.ErrKey},
		{"a point of small order", ed.sign(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":"`+encode("\x01"+strings.Repeat("\x00", 31))+`"}}`, claims), dpop.ErrKey},
		{"RSA with 1024 bits", rs.sign(replaced(t, rs.header(), rs.jwk(), weakRSA(1024)), claims), dpop.ErrKey},
		{"RSA with 4104 bits", rs.sign(replaced(t, rs.header(), rs.jwk(), weakRSA(4104)), claims), dpop.ErrKey},
		{"RSA with an exponent of 3", rs.sign(replaced(t, rs.header(), "AQAB", "Aw"), claims), dpop.ErrKey},
		{"a key to encrypt with", inKey(`"use":"enc"`), dpop.ErrKey},
		{"a use that is no text", inKey(`"use":1`), dpop.ErrKey},
		{"a key of another alg", inKey(`"alg":"ES384"`), dpop.ErrKey},
		{"a key that may not verify", inKey(`"key_ops":["sign"]`), dpop.ErrKey},
		{"a duplicate in jwk", inKey(`"crv":"P-256"`), dpop.ErrMalformed},

		{"crit", header(`"crit":["exp"],"exp":1`), dpop.ErrMalformed},
		{"crit empty", header(`"crit":[]`), dpop.ErrMalformed},
		{"b64 false", header(`"crit":["b64"],"b64":false`), dpop.ErrMalformed},
		{"b64 false alone", header(`"b64":false`), dpop.ErrMalformed},
		{"jku", header(`"jku":"https://attacker.example.com"`), dpop.ErrMalformed},
		{"x5u", header(`"x5u":"https://attacker.example.com"`), dpop.ErrMalformed},
		{"x5c", header(`"x5c":["MIIB"]`), dpop.ErrMalformed},
		{"zip", header(`"zip":"DEF"`), dpop.ErrMalformed},
		{"enc", header(`"enc":"A256GCM"`), dpop.ErrMalformed},
		{"epk", header(`"epk":{}`), dpop.ErrMalformed},
		{"p2c", header(`"p2c":2147483647`), dpop.ErrMalformed},
		{"two keys", header(`"jwk":` + otherClient().jwk()), dpop.ErrMalformed},
		{"a duplicate in the header", header(`"alg":"ES256"`), dpop.ErrMalformed},
		{"a header that is a list", ec.sign("["+ec.header()+"]", claims), dpop.ErrMalformed},
		{"invalid UTF-8", header("\"x\":\"\xff\""), dpop.ErrMalformed},

		{"an access token", ec.sign(replaced(t, ec.header(), "dpop+jwt", "at+jwt"), claims), dpop.ErrType},
		{"typ in another tree", ec.sign(replaced(t, ec.header(), "dpop+jwt", "text/dpop+jwt"), claims), dpop.ErrType},
		{"typ a list", ec.sign(replaced(t, ec.header(), `"dpop+jwt"`, `["dpop+jwt"]`), claims), dpop.ErrType},

		{"a duplicate claim", claim("{", `{"jti":"id-2",`), dpop.ErrMalformed},
		{"a duplicate claim below", claim("{", `{"x":{"a":1,"a":1},`), dpop.ErrMalformed},
		{"claims that are a list", ec.sign(ec.header(), "["+claims+"]"), dpop.ErrMalformed},
		{"claims that are none", ec.sign(ec.header(), "null"), dpop.ErrMalformed},
		{"jti empty", claim("id-1", ""), dpop.ErrClaims},
		{"jti of 256 bytes", claim("id-1", strings.Repeat("j", 256)), dpop.ErrClaims},
		{"jti a number", claim(`"id-1"`, "1"), dpop.ErrClaims},
		{"jti null", claim(`"id-1"`, "null"), dpop.ErrClaims},
		{"htm a list", claim(`"POST"`, `["POST"]`), dpop.ErrClaims},
		{"htu a list", claim(`"https://orders.example.com/orders"`, `["https://orders.example.com/orders"]`), dpop.ErrClaims},
		{"iat a text", claim("1800000000", `"1800000000"`), dpop.ErrClaims},
		{"iat negative", claim("1800000000", "-1"), dpop.ErrClaims},
		{"iat in milliseconds", claim("1800000000", "1800000000000"), dpop.ErrClaims},
		{"iat beyond all numbers", claim("1800000000", "1e999"), dpop.ErrClaims},
		{"iat null", claim("1800000000", "null"), dpop.ErrClaims},
		{"nonce a number", claim("{", `{"nonce":1,`), dpop.ErrClaims},
		{"nonce empty", claim("{", `{"nonce":"",`), dpop.ErrClaims},
		{"ath a list", claim(`"fUHy`, `["x"],"x":"fUHy`), dpop.ErrClaims},

		{"other claims under the signature", segments[0] + "." + encode(replaced(t, claims, "id-1", "id-2")) + "." + segments[2], dpop.ErrSignature},
		{"another key under the signature", encode(otherClient().header()) + "." + segments[1] + "." + segments[2], dpop.ErrSignature},
		{"a signature of zeros", segments[0] + "." + segments[1] + "." + encode(strings.Repeat("\x00", 64)), dpop.ErrSignature},
		{"a signature that is longer than any", segments[0] + "." + segments[1] + "." + encode(strings.Repeat("s", 513)), dpop.ErrSignature},
		{"a byte more", segments[0] + "." + segments[1] + "." + encode(string(ec.signature(segments[0]+"."+segments[1]))+"\x00"), dpop.ErrSignature},
	} {
		refused(t, row.name, row.want, row.proof)
	}
}

// What honest clients write in different ways is accepted.
func TestUnusualProofs(t *testing.T) {
	ec, rs := ecClient(), rsaClient()
	key := func(member string) string { return replaced(t, ec.header(), `"kty":"EC"`, `"kty":"EC",`+member) }
	for name, proof := range map[string]string{
		"what WebCrypto exports":         ec.sign(key(`"ext":true,"key_ops":["verify"]`), claims),
		"what it exports of RSA":         rs.sign(replaced(t, rs.header(), `"kty":"RSA"`, `"kty":"RSA","alg":"RS256","ext":true,"key_ops":["verify"]`), claims),
		"use and kid in the key":         ec.sign(key(`"use":"sig","kid":"1"`), claims),
		"a kid beside the key":           ec.sign(replaced(t, ec.header(), "{\"typ\"", "{\"kid\":\"1\",\"typ\""), claims),
		"typ as a whole media type":      ec.sign(replaced(t, ec.header(), "dpop+jwt", "application/DPoP+JWT"), claims),
		"a date with a fraction":         ec.sign(ec.header(), replaced(t, claims, "1800000000", "1800000000.75")),
		"claims of its own":              ec.sign(ec.header(), replaced(t, claims, "{", `{"exp":1,"iss":"client","x":[{}],`)),
		"jti of 255 bytes":               ec.sign(ec.header(), replaced(t, claims, "id-1", strings.Repeat("j", 255))),
		"white space":                    ec.sign(" "+ec.header()+"\n", "\t"+claims+" "),
		"escapes":                        ec.sign(replaced(t, ec.header(), "ES256", `\u0045S256`), replaced(t, claims, "POST", `P\u004fST`)),
		"members of another type of key": ec.sign(key(`"n":"AQAB","e":"AQAB"`), claims),
	} {
		c := ec
		if strings.Contains(name, "RSA") {
			c = rs
		}
		proof, err := dpop.Check([]string{proof}, method, target)
		if err != nil || proof.Thumbprint != c.thumbprint() || !proof.IssuedAt.Equal(now) {
			t.Errorf("%s: %+v, %v", name, proof, err)
		}
	}
	big := bigRSA(t)
	if proof, err := dpop.Check([]string{big}, method, target); err != nil {
		t.Errorf("RSA with 4096 bits: %v, %v", proof, err)
	}
	end := strings.LastIndexByte(big, '.') + 1
	longer := append(must(base64.RawURLEncoding.DecodeString(big[end:])), 0)
	refused(t, "RSA with 4096 bits, a byte more", dpop.ErrSignature, big[:end]+encode(string(longer)))
}

// What the caller checks is handed over as it stands: the nonce (check 10), iat, also in the future (11), ath (12).
func TestCheckHandsOver(t *testing.T) {
	changed := replaced(t, replaced(t, claims, "1800000000", "1800009999"), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo", `x","nonce":"n-1`)
	proof, err := dpop.Check([]string{ecClient().sign(ecClient().header(), changed)}, method, target)
	want := &dpop.Proof{
		Thumbprint: ecClient().thumbprint(), ID: "id-1", IssuedAt: now.Add(9999 * time.Second), Nonce: "n-1", AccessTokenHash: "x",
	}
	if diff := cmp.Diff(want, proof); err != nil || diff != "" {
		t.Errorf("%v, difference (-want +got):\n%s", err, diff)
	}
	without, err := dpop.Check([]string{ecClient().sign(ecClient().header(), `{"jti":"1","htm":"POST","htu":"`+target+`","iat":1}`)}, method, target)
	if err != nil || without.Nonce != "" || without.AccessTokenHash != "" {
		t.Errorf("%+v, %v", without, err)
	}
}

func BenchmarkCheck(b *testing.B) {
	for _, c := range []client{ecClient(), edClient(), rsaClient()} {
		b.Run(c.alg, func(b *testing.B) {
			proof := []string{c.good()}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dpop.Check(proof, method, target); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package verifier

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/json"
	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/verifier/internal/jws"
)

// testPolicy is the policy of a Verifier for goodClaims.
func testPolicy() policy {
	return policy{audience: testAudience, mediaType: "at+jwt", skew: time.Minute, expSkew: time.Minute}
}

// accept gives claims to testPolicy at testNow.
func accept(claims string) (*Token, error) {
	return testPolicy().validate(signed{payload: claims, kid: "es", typ: "at+jwt"}, []string{testIssuer}, testNow)
}

func TestAcceptedToken(t *testing.T) {
	token, err := accept(goodClaims)
	if err != nil {
		t.Fatal(err)
	}
	want := &Token{
		payload: goodClaims, keyID: "es", issuer: testIssuer, subject: "alice", clientID: "shop", id: "id-1",
		audience: []string{testAudience, "b"}, scopes: []string{"orders:read", "orders:write"},
		expiry: time.Unix(1800000600, 0), issuedAt: testNow, notBefore: testNow,
	}
	if diff := cmp.Diff(want, token, cmp.AllowUnexported(Token{})); diff != "" {
		t.Errorf("token (-want +got):\n%s", diff)
	}
	got := []any{
		token.KeyID(), token.Issuer(), token.Subject(), token.ClientID(), token.ID(), token.Audience(), token.Scopes(),
		token.Expiry(), token.IssuedAt(), token.NotBefore(),
		token.HasScope("orders:read"), token.HasScope("orders"), token.HasScope(""),
	}
	expect := []any{
		"es", testIssuer, "alice", "shop", "id-1",
		[]string{testAudience, "b"},
		[]string{"orders:read", "orders:write"},
		time.Unix(1800000600, 0), testNow, testNow, true, false, false,
	}
	if diff := cmp.Diff(expect, got); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
	token.Audience()[0], token.Scopes()[0] = "changed", "changed"
	if token.Audience()[0] != testAudience || token.Scopes()[0] != "orders:read" {
		t.Error("the token was changed by what its methods return")
	}
}

func TestTokenClaims(t *testing.T) {
	token, err := accept(goodClaims)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Groups  []string `json:"groups"`
		Subject string   `json:"SUB"` // sub is another name
	}
	if err := token.Claims(&claims); err != nil || len(claims.Groups) != 2 || claims.Subject != "" {
		t.Errorf("claims %+v, error %v", claims, err)
	}
	var wrong struct {
		Groups int `json:"groups"`
	}
	if err := token.Claims(&wrong); err == nil {
		t.Error("a list fits an int")
	}
}

func TestAcceptRefusesClaims(t *testing.T) {
	change := func(old, updated string) string { return replaced(t, goodClaims, old, updated) }
	without := func(member string) string { return change(member+",", "") }
	for _, row := range []struct {
		name, claims string
		want         error
	}{
		{"iss missing", without(`"iss":"https://issuer.example.com"`), ErrMalformed},
		{"iss a list", change(`"https://issuer.example.com"`, `["https://issuer.example.com"]`), ErrMalformed},
		{"iss with a slash", change("issuer.example.com", "issuer.example.com/"), ErrWrongIssuer},
		{"iss a prefix", change("issuer.example.com", "issuer.example"), ErrWrongIssuer},
		{"iss in upper case", change("issuer.example.com", "ISSUER.example.com"), ErrWrongIssuer},
		{"aud missing", without(`"aud":["https://orders.example.com","b"]`), ErrMalformed},
		{"aud null", change(`["https://orders.example.com","b"]`, "null"), ErrMalformed},
		{"aud empty", change(`["https://orders.example.com","b"]`, "[]"), ErrWrongAudience},
		{"aud an object", change(`["https://orders.example.com","b"]`, `{"https://orders.example.com":1}`), ErrMalformed},
		{"aud with a number", change(`"b"`, "1"), ErrMalformed},
		{"aud with a list", change(`"b"`, `["b"]`), ErrMalformed},
		{"aud nested", change(`["https://orders.example.com","b"]`, `[["https://orders.example.com"]]`), ErrMalformed},
		{"aud another service", change("orders.example", "billing.example"), ErrWrongAudience},
		{"aud a longer string", change(`["https://orders.example.com","b"]`, `"https://orders.example.com b"`), ErrWrongAudience},
		{"sub missing", without(`"sub":"alice"`), ErrMalformed},
		{"sub empty", change("alice", ""), ErrMalformed},
		{"sub a number", change(`"alice"`, "1"), ErrMalformed},
		{"sub null", change(`"alice"`, "null"), ErrMalformed},
		{"sub with a NUL", change("alice", `alice\u0000`), ErrMalformed},
		{"sub with a line break", change("alice", `alice\nroot`), ErrMalformed},
		{"jti a number", change(`"id-1"`, "1"), ErrMalformed},
		{"jti empty", change(`"id-1"`, `""`), ErrMalformed},
		{"client_id null", change(`"shop"`, "null"), ErrMalformed},
		{"client_id a list", change(`"shop"`, `["shop"]`), ErrMalformed},
		{"scope a list", change(`"orders:read orders:write"`, `["orders:read"]`), ErrMalformed},
		{"scope null", change(`"orders:read orders:write"`, "null"), ErrMalformed},
		{"scope with a tab", change("orders:read ", `orders:read\t`), ErrMalformed},
		{"scope with another space", change("orders:read ", "orders:read\u00a0"), ErrMalformed},
		{"scope with a quote", change("orders:read ", `orders:read\" `), ErrMalformed},
		{"scope with a backslash", change("orders:read ", `orders:read\\ `), ErrMalformed},
		{"exp missing", without(`"exp":1800000600`), ErrMalformed},
		{"exp null", change(`"exp":1800000600`, `"exp":null`), ErrMalformed},
		{"exp a string", change(`"exp":1800000600`, `"exp":"1800000600"`), ErrMalformed},
		{"exp a fraction", change(`"exp":1800000600`, `"exp":1800000600.5`), ErrMalformed},
		{"exp with an exponent", change(`"exp":1800000600`, `"exp":1.8e9`), ErrMalformed},
		{"exp negative", change(`"exp":1800000600`, `"exp":-1`), ErrMalformed},
		{"exp in the year 10000", change(`"exp":1800000600`, `"exp":253402300800`), ErrMalformed},
		{"exp 2^63", change(`"exp":1800000600`, `"exp":9223372036854775808`), ErrMalformed},
		{"exp 1e400", change(`"exp":1800000600`, `"exp":1e400`), ErrMalformed},
		{"exp in milliseconds", change(`"exp":1800000600`, `"exp":1800000600000`), ErrMalformed},
		{"exp true", change(`"exp":1800000600`, `"exp":true`), ErrMalformed},
		{"exp in another case", change(`"exp"`, `"Exp"`), ErrMalformed},
		{"exp before iat", change(`"exp":1800000600,"iat":1800000000`, `"exp":1799999999,"iat":1800000000`), ErrMalformed},
		{"exp at iat", change(`"exp":1800000600`, `"exp":1800000000`), ErrMalformed},
		{"iat a string", change(`"iat":1800000000`, `"iat":"now"`), ErrMalformed},
		{"iat negative", change(`"iat":1800000000`, `"iat":-1`), ErrMalformed},
		{"nbf negative", change(`"nbf":1800000000`, `"nbf":-1`), ErrMalformed},
		{"iat null", change(`"iat":1800000000`, `"iat":null`), ErrMalformed},
		{"nbf a fraction", change(`"nbf":1800000000`, `"nbf":1.5`), ErrMalformed},
		{"nbf null", change(`"nbf":1800000000`, `"nbf":null`), ErrMalformed},
		{"a duplicate member", change(`"sub":"alice"`, `"sub":"alice","sub":"root"`), ErrMalformed},
		{"a duplicate below", change(`["a","b"]`, `{"a":1,"a":2}`), ErrMalformed},
		{"invalid UTF-8", change("alice", "al\xffice"), ErrMalformed},
		{"half a surrogate pair", change("alice", `al\ud800ice`), ErrMalformed},
		{"a list", "[" + goodClaims + "]", ErrMalformed},
		{"null", "null", ErrMalformed},
		{"another token", "eyJhbGciOiJFUzI1NiJ9.e30.AA", ErrMalformed},
	} {
		_, err := accept(row.claims)
		wantError(t, row.name, err, row.want, "")
		if err != nil && strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: the error quotes the token: %v", row.name, err)
		}
	}
}

func TestAcceptOptionalClaims(t *testing.T) {
	token, err := accept(`{"iss":"https://issuer.example.com","sub":"a","aud":"https://orders.example.com","exp":1800000600}`)
	if err != nil {
		t.Fatal(err)
	}
	if len(token.Audience()) != 1 || len(token.Scopes()) != 0 || !token.IssuedAt().IsZero() || !token.NotBefore().IsZero() {
		t.Errorf("got %+v", token)
	}
	if token, err := accept(replaced(t, goodClaims, "orders:read orders:write", "")); err != nil || len(token.Scopes()) != 0 {
		t.Errorf("empty scope: %v, %v", token, err)
	}
}

// The clock skew is one minute: each date is accepted up to there, and no further.
func TestAcceptTimeEdges(t *testing.T) {
	at := func(name string, value int64) string {
		claims := map[string]any{"iss": testIssuer, "sub": "a", "aud": testAudience, "exp": testNow.Unix() + 600}
		claims[name] = value
		return string(must(json.Marshal(claims)))
	}
	now := testNow.Unix()
	for _, row := range []struct {
		name   string
		claims string
		nanos  time.Duration
		want   error
	}{
		{"exp last moment", at("exp", now-59), 0, nil},
		{"exp last nanosecond", at("exp", now-59), time.Second - 1, nil},
		{"exp reached", at("exp", now-60), 0, ErrExpired},
		{"exp long ago", at("exp", 0), 0, ErrExpired},
		{"exp in the year 9999", at("exp", latestDate), 0, nil},
		{"nbf in a minute", at("nbf", now+60), 0, nil},
		{"nbf a second more", at("nbf", now+61), 0, ErrNotYetValid},
		{"nbf a second more, nearly reached", at("nbf", now+61), time.Second - 1, ErrNotYetValid},
		{"nbf 0", at("nbf", 0), 0, nil},
		{"iat in a minute", at("iat", now+60), 0, nil},
		{"iat a second more", at("iat", now+61), 0, ErrNotYetValid},
		{"iat 0", at("iat", 0), 0, nil},
	} {
		_, err := testPolicy().validate(signed{payload: row.claims, typ: "at+jwt"}, []string{testIssuer}, testNow.Add(row.nanos))
		wantError(t, row.name, err, row.want, "")
	}
}

func TestMediaType(t *testing.T) {
	for typ, want := range map[string]bool{
		"at+jwt": true, "AT+JWT": true, "application/at+jwt": true, "Application/At+Jwt": true,
		"": false, "JWT": false, "at+jwt ": false, "text/at+jwt": false, "application/application/at+jwt": false,
		"dpop+jwt": false, "at+jwt\x00": false,
	} {
		_, err := testPolicy().validate(signed{payload: goodClaims, typ: typ}, []string{testIssuer}, testNow)
		if want {
			wantError(t, typ, err, nil, "")
		} else {
			wantError(t, typ, err, ErrWrongType, "")
		}
	}
	if jws.MediaType("to\u212Aen") == "token" { // the Kelvin sign is k in lower case
		t.Error("a letter outside ASCII matches")
	}
}

package token_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keywright/keywright/issuer/token"
)

func TestClaims(t *testing.T) {
	c := token.Claims{
		Issuer: "https://i", Subject: "s", Audience: []string{"a"}, ClientID: "c", Scopes: []string{"x", "y"}, ID: "j",
		IssuedAt: time.Unix(1000, 999), Lifetime: 90*time.Second + time.Millisecond,
		Extra: map[string]any{"email": "e", "sub": "admin", "exp": 1, "scope": "all", "cnf": "x"},
	}
	b, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"iss": "https://i", "sub": "s", "aud": []any{"a"}, "client_id": "c", "scope": "x y", "jti": "j",
		"iat": 1000.0, "nbf": 1000.0, "exp": 1090.0, "email": "e",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLargeClaimsAreRefusedByName(t *testing.T) {
	c := token.Claims{Extra: map[string]any{"small": "x", "photo": strings.Repeat("x", 5000)}}
	if _, err := c.Marshal(); err == nil || !strings.Contains(err.Error(), `"photo"`) || strings.Contains(err.Error(), "xxx") {
		t.Errorf("%v", err)
	}
}

package token_test

import (
	"encoding/json"
	"errors"
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
		Extra: map[string]any{"email": "e", "sub": "admin", "Sub": "admin", "exp": 1, "scope": "all", "cnf": "x"},
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
		"iat": 1000.0, "exp": 1090.0, "email": "e",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLargeClaimsAreNamed(t *testing.T) {
	c := token.Claims{Extra: map[string]any{"small": "x", "photo": strings.Repeat("x", 5000)}}
	if err := c.CheckSize(token.MaxBytes); err != nil {
		t.Errorf("the largest that fits: %v", err)
	}
	err := c.CheckSize(token.MaxBytes + 1)
	var tooLarge *token.TooLargeError
	if !errors.As(err, &tooLarge) || tooLarge.Claim != "photo" || strings.Contains(err.Error(), "xxx") {
		t.Errorf("%v", err)
	}
	many := token.Claims{Audience: []string{strings.Repeat("x", 5000)}}
	if err := many.CheckSize(5000); !errors.As(err, &tooLarge) || tooLarge.Claim != "aud" {
		t.Errorf("%v", err)
	}
}

func TestWhatMustNeverLeave(t *testing.T) {
	for _, name := range []string{"password", "Password", "user_password", "passwordHash", "client-secret", "unicodePwd", "pwdHistory", "pa\u017f\u017fword", "api_key", "private.key"} {
		if !token.Forbidden(name) {
			t.Errorf("%s may leave", name)
		}
		for _, claims := range []map[string]any{{name: "x"}, {"a": map[string]any{name: 1}}, {"a": []any{map[string]any{name: 1}}}} {
			if _, err := (&token.Claims{Extra: claims}).Marshal(); err == nil || !strings.Contains(err.Error(), "looks like a secret, by its name") {
				t.Errorf("%v: %v", claims, err)
			}
		}
	}
	for _, name := range []string{"email", "groups", "permissions", "passport_number", "given_name"} {
		if token.Forbidden(name) {
			t.Errorf("%s may not leave", name)
		}
	}
}

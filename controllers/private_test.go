package controllers

import (
	"encoding/json"
	"testing"
)

// privatePart returns the private exponent of a JWK, which must be in no other object.
func privatePart(t *testing.T, jwk []byte) string {
	t.Helper()
	var k struct{ D string }
	if err := json.Unmarshal(jwk, &k); err != nil || len(k.D) < 32 {
		t.Fatalf("not a private JWK: %v", err)
	}
	return k.D
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fromJSON(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

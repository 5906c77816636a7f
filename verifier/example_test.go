package verifier_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/keywright/keywright/verifier"
)

// The examples run a day that is always the same.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// A service verifies tokens with the file that its pod mounts.
func ExampleNew() {
	file, issue := newIssuer() // in a cluster: /var/run/keywright/jwks/main.json
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{"https://issuer.example.com": verifier.File(file)},
		Audience: "https://orders.example.com",
		Now:      noon, // leave it out
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.FromContext(r.Context())
		_, _ = fmt.Fprintf(w, "the orders of %s", token.Subject())
	})
	service := v.Middleware(verifier.RequireScope("orders:read")(orders))

	for _, authorization := range []string{"", "Bearer " + issue("alice", "orders:read"), "Bearer " + issue("bob", "")} {
		request := httptest.NewRequest(http.MethodGet, "/orders", nil)
		request.Header.Set("Authorization", authorization)
		response := httptest.NewRecorder()
		service.ServeHTTP(response, request)
		fmt.Println(response.Code, strings.TrimSpace(response.Body.String()))
	}
	// Output:
	// 401 Unauthorized
	// 200 the orders of alice
	// 403 Forbidden
}

// A service that does not speak HTTP asks for the token itself, and may tell apart why one was refused.
func ExampleVerifier_Verify() {
	file, issue := newIssuer()
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{"https://issuer.example.com": verifier.File(file)},
		Audience: "https://orders.example.com",
		Now:      func() time.Time { return noon().Add(2 * time.Hour) },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	request := httptest.NewRequest(http.MethodGet, "/", nil)
	_, err = v.Verify(request.Context(), issue("alice", "orders:read"))
	fmt.Println(errors.Is(err, verifier.ErrExpired), err)
	// Output: true expired token: its exp has passed
}

// Claims reads what Token has no method for.
func ExampleToken_Claims() {
	file, issue := newIssuer()
	v, err := verifier.New(verifier.Config{
		Issuers:  map[string]verifier.Source{"https://issuer.example.com": verifier.File(file)},
		Audience: "https://orders.example.com", Now: noon,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()

	request := httptest.NewRequest(http.MethodGet, "/", nil)
	token, err := v.Verify(request.Context(), issue("alice", ""))
	if err != nil {
		log.Fatal(err)
	}
	var claims struct {
		Groups []string `json:"groups"`
	}
	if err := token.Claims(&claims); err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject(), claims.Groups)
	// Output: alice [staff]
}

// newIssuer writes the public key of a new issuer to a file and returns what issues its tokens.
func newIssuer() (file string, issue func(subject, scope string) string) {
	private := ed25519.NewKeyFromSeed([]byte("0123456789abcdef0123456789abcdef"))
	public := jose.JSONWebKey{Key: private.Public(), KeyID: "key-1", Algorithm: "EdDSA", Use: "sig"}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
	if err != nil {
		log.Fatal(err)
	}
	file = filepath.Join(os.TempDir(), "keywright-example.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		log.Fatal(err)
	}
	signingKey := jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: private, KeyID: "key-1"}}
	signer, err := jose.NewSigner(signingKey, (&jose.SignerOptions{}).WithType("at+jwt"))
	if err != nil {
		log.Fatal(err)
	}
	return file, func(subject, scope string) string {
		token, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "https://issuer.example.com", "aud": "https://orders.example.com", "sub": subject, "scope": scope,
			"iat": noon().Unix(), "exp": noon().Add(time.Hour).Unix(), "groups": []string{"staff"},
		}).Serialize()
		if err != nil {
			log.Fatal(err)
		}
		return token
	}
}

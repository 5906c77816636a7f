package verifiertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/verifiertest"
)

// orders is the handler of a service.
func orders(w http.ResponseWriter, r *http.Request) {
	token, _ := verifier.FromContext(r.Context())
	_, _ = fmt.Fprintf(w, "the orders of %s", token.Subject())
}

// This is how a service tests its handlers.
func TestOrders(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	service := issuer.Verifier().Middleware(verifier.RequireScope("orders:read")(http.HandlerFunc(orders)))
	for name, c := range map[string]struct {
		token string
		want  int
	}{
		"who may read":         {issuer.Token("alice", verifiertest.Scope("orders:read")), 200},
		"who may not":          {issuer.Token("alice", verifiertest.Scope("orders:write")), 403},
		"an expired token":     {issuer.Token("alice", verifiertest.Scope("orders:read"), verifiertest.Expired()), 401},
		"for another service":  {issuer.Token("alice", verifiertest.ForAudience("https://other.test")), 401},
		"of an unknown issuer": {issuer.Token("alice", verifiertest.FromStranger()), 401},
		"an ID token":          {issuer.Token("alice", verifiertest.OfType("JWT")), 401},
	} {
		request := httptest.NewRequest(http.MethodGet, "/orders", nil)
		request.Header.Set("Authorization", "Bearer "+c.token)
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, request)
		if answer.Code != c.want {
			t.Errorf("%s: %d, want %d", name, answer.Code, c.want)
		}
	}
}

// This is how one does whose tokens are bound to the keys of its clients.
func TestOrdersOfBoundTokens(t *testing.T) {
	issuer, client, thief := verifiertest.NewIssuer(t), verifiertest.NewClient(t), verifiertest.NewClient(t)
	v := issuer.Verifier(func(c *verifier.Config) { c.Proof = verifier.DPoPRequired })
	service := v.Middleware(http.HandlerFunc(orders))
	token := issuer.Token("alice", verifiertest.BoundTo(client))
	for name, c := range map[string]struct {
		authorize func(*http.Request, string)
		want      int
	}{
		"its client": {client.Authorize, 200},
		"a thief":    {thief.Authorize, 401},
		"as Bearer":  {func(r *http.Request, token string) { r.Header.Set("Authorization", "Bearer "+token) }, 401},
	} {
		request := httptest.NewRequest(http.MethodPost, "/orders?page=2", nil)
		c.authorize(request, token)
		answer := httptest.NewRecorder()
		service.ServeHTTP(answer, request)
		if answer.Code != c.want {
			t.Errorf("%s: %d, want %d", name, answer.Code, c.want)
		}
	}
}

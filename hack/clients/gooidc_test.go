package clients_test

import (
	"context"
	"errors"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Go programs use x/oauth2 to get tokens and coreos/go-oidc to verify them.
func TestGoOIDC(t *testing.T) {
	a, k := newAuthority(t), newKeyring(t)
	r := startIssuer(t, a, k, options{})
	ctx := oidc.ClientContext(t.Context(), a.client())
	provider, err := oidc.NewProvider(ctx, r.url)
	must(t, err)
	verifier := provider.Verifier(&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	for name, get := range map[string]func(context.Context) (*oauth2.Token, error){
		"password": func(ctx context.Context) (*oauth2.Token, error) {
			c := &oauth2.Config{ClientID: "web", Endpoint: provider.Endpoint(), Scopes: []string{"read"}}
			return c.PasswordCredentialsToken(ctx, "alice", password)
		},
		"client credentials, secret in the header": (&clientcredentials.Config{
			ClientID: "batch", ClientSecret: secret, TokenURL: provider.Endpoint().TokenURL, AuthStyle: oauth2.AuthStyleInHeader,
		}).Token,
		"client credentials, secret in the body": (&clientcredentials.Config{
			ClientID: "batch", ClientSecret: secret, TokenURL: provider.Endpoint().TokenURL, AuthStyle: oauth2.AuthStyleInParams,
		}).Token,
	} {
		token, err := get(ctx)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		verified, err := verifier.Verify(ctx, token.AccessToken)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var claims struct {
			Email    string `json:"email"`
			ClientID string `json:"client_id"`
		}
		must(t, verified.Claims(&claims))
		if (name == "password") != (claims.Email == "alice@example.com") || claims.ClientID == "" || token.TokenType != "Bearer" {
			t.Errorf("%s: %+v", name, claims)
		}
	}
	c := &oauth2.Config{ClientID: "web", Endpoint: provider.Endpoint()}
	_, err = c.PasswordCredentialsToken(ctx, "alice", "wrong")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != "invalid_grant" {
		t.Errorf("a wrong password: %v", err)
	}
}

package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/keywright/keywright/verifier"
	"github.com/keywright/keywright/verifier/fast"
)

// claims is what every library decodes.
type claims struct {
	Subject string   `json:"sub"`
	Scope   string   `json:"scope"`
	Groups  []string `json:"groups"`
}

// contestant verifies one token after another. prepare, which is not measured, takes a token apart for the bare check.
type contestant struct {
	name    string
	prepare func(token string) (prepared, error)
	verify  func(prepared) error
}

// prepared is a token, for a bare check what is signed, and for a token that is bound its request.
type prepared struct {
	token   string
	bare    []parts
	request *http.Request
}

func asToken(token string) (prepared, error) { return prepared{token: token}, nil }

type field struct {
	list    []contestant
	closers []func()
}

func (f *field) close() {
	for _, c := range f.closers {
		c()
	}
}

// contestants are the bare check, which is the floor, this module, and the others.
func contestants(i *issuer) (*field, error) {
	v, remove, err := ours(i)
	if err != nil {
		return nil, err
	}
	f := &field{closers: []func(){remove}}
	accelerated, removeAccelerated, err := oursPrepared(i)
	if err != nil {
		f.close()
		return nil, err
	}
	f.closers = append(f.closers, removeAccelerated)
	f.list = []contestant{
		{"the bare signature check", takeApart(i), bare},
		{"this module", asToken, func(p prepared) error {
			_, err := v.Verify(context.Background(), p.token)
			return err
		}},
		{"this module with verifier/fast", asToken, func(p prepared) error {
			_, err := accelerated.Verify(context.Background(), p.token)
			return err
		}},
	}
	for _, other := range []func(*issuer, *field) (contestant, error){golangJWT, goJose, goOIDC, jwx} {
		c, err := other(i, f)
		if err != nil {
			return nil, err
		}
		f.list = append(f.list, c)
	}
	return f, nil
}

// ours is a Verifier over a file with the issuer's set.
func ours(i *issuer) (*verifier.Verifier, func(), error) { return oursBeside(i, nil) }

// oursBeside is one that has a revocation list beside the set, if it is not nil.
func oursBeside(i *issuer, list []byte) (*verifier.Verifier, func(), error) {
	return oursWith(i, list, func(*verifier.Config) {})
}

// oursPrepared is one that has verifier/fast, once its keys are prepared. There are none to prepare for RS256.
func oursPrepared(i *issuer) (*verifier.Verifier, func(), error) {
	said := make(lines, 16)
	v, remove, err := oursWith(i, nil, func(c *verifier.Config) {
		c.Logger, c.Accelerator = slog.New(slog.NewTextHandler(said, nil)), fast.New()
	})
	for err == nil && i.algorithm != jose.RS256 && !strings.Contains(<-said, "keys prepared") {
		continue
	}
	return v, remove, err
}

// lines are what a logger writes.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// oursWith is one over a file with the issuer's set, with a list if it is not nil, and with a changed Config.
func oursWith(i *issuer, list []byte, change func(*verifier.Config)) (*verifier.Verifier, func(), error) {
	directory, err := os.MkdirTemp("", "keywright-bench-")
	if err != nil {
		return nil, nil, err
	}
	file := filepath.Join(directory, "main.json")
	if err := os.WriteFile(file, i.jwks, 0o600); err != nil {
		return nil, nil, err
	}
	if list != nil {
		if err := os.WriteFile(filepath.Join(directory, "main.revoked"), list, 0o600); err != nil {
			return nil, nil, err
		}
	}
	config := verifier.Config{
		Issuers: map[string]verifier.Source{issuerName: verifier.File(file)}, Audience: audience,
		Logger: slog.New(slog.DiscardHandler),
	}
	change(&config)
	v, err := verifier.New(config)
	if err != nil {
		return nil, nil, err
	}
	return v, func() { v.Close(); _ = os.RemoveAll(directory) }, nil
}

// takeApart prepares a token for the bare check.
func takeApart(i *issuer) func(string) (prepared, error) {
	return func(token string) (prepared, error) {
		one, err := split(i.active.Public().Key, token)
		return prepared{token: token, bare: []parts{one}}, err
	}
}

// bare checks signatures, and does nothing else.
func bare(p prepared) error {
	for _, one := range p.bare {
		if err := one.check(); err != nil {
			return err
		}
	}
	return nil
}

func golangJWT(i *issuer, _ *field) (contestant, error) {
	keys, err := keyfunc.NewJWKSetJSON(i.jwks)
	if err != nil {
		return contestant{}, err
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{string(i.algorithm)}), jwt.WithIssuer(issuerName),
		jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
	type all struct {
		jwt.RegisteredClaims
		Scope  string   `json:"scope"`
		Groups []string `json:"groups"`
	}
	return contestant{"golang-jwt + keyfunc", asToken, func(p prepared) error {
		_, err := parser.ParseWithClaims(p.token, &all{}, keys.Keyfunc)
		return err
	}}, nil
}

func goJose(i *issuer, _ *field) (contestant, error) {
	var set jose.JSONWebKeySet
	if err := unmarshal(i.jwks, &set); err != nil {
		return contestant{}, err
	}
	expected := josejwt.Expected{Issuer: issuerName, AnyAudience: josejwt.Audience{audience}}
	return contestant{"go-jose with a key set", asToken, func(p prepared) error {
		parsed, err := josejwt.ParseSigned(p.token, []jose.SignatureAlgorithm{i.algorithm})
		if err != nil {
			return err
		}
		var registered josejwt.Claims
		var own claims
		if err := parsed.Claims(set, &registered, &own); err != nil {
			return err
		}
		return registered.ValidateWithLeeway(expected, time.Minute)
	}}, nil
}

func goOIDC(i *issuer, f *field) (contestant, error) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(i.jwks) }))
	f.closers = append(f.closers, server.Close)
	v := oidc.NewVerifier(issuerName, oidc.NewRemoteKeySet(context.Background(), server.URL),
		&oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{string(i.algorithm)}})
	return contestant{"go-oidc", asToken, func(p prepared) error {
		token, err := v.Verify(context.Background(), p.token)
		if err != nil {
			return err
		}
		var own claims
		return token.Claims(&own)
	}}, nil
}

func jwx(i *issuer, _ *field) (contestant, error) {
	set, err := jwk.Parse(i.jwks)
	return contestant{"jwx v3", asToken, func(p prepared) error {
		_, err := jwxjwt.Parse([]byte(p.token), jwxjwt.WithKeySet(set), jwxjwt.WithIssuer(issuerName),
			jwxjwt.WithAudience(audience), jwxjwt.WithRequiredClaim("exp"))
		return err
	}}, err
}

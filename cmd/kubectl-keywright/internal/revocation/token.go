package revocation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	keywrightv1alpha1 "github.com/keywright/keywright/api/v1alpha1"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/cli"
	"github.com/keywright/keywright/cmd/kubectl-keywright/internal/untrusted"
)

// tokenClaims are claims of a token that is not verified.
type tokenClaims struct {
	TokenID   string  `json:"jti"`
	SessionID string  `json:"sid"`
	Subject   string  `json:"sub"`
	ClientID  string  `json:"client_id"`
	Issuer    string  `json:"iss"`
	Expiry    float64 `json:"exp"`
	kid       string
}

// readClaims decodes a signed JWT (RFC 7519 section 7.2) without verification. Errors do not contain the token.
func readClaims(token string) (tokenClaims, error) {
	var t tokenClaims
	var header struct {
		KeyID string `json:"kid"`
	}
	parts, err := untrusted.Split(token)
	switch {
	case err != nil:
		return t, err
	case len(parts) == 5:
		return t, errors.New("the token is encrypted, and only its recipient can read it: use --subject or --client instead")
	}
	if err := untrusted.Decode(parts[0], &header); err != nil {
		return t, errors.New("this is not a JWT: its header is not JSON in base64url")
	}
	if err := untrusted.Decode(parts[1], &t); err != nil {
		return t, errors.New("this is not a JWT with claims: its payload is not a JSON object in base64url, or jti, sid, sub or client_id is not a string")
	}
	t.kid = header.KeyID
	return t, nil
}

// choice is one claim of a token by which it can be revoked.
type choice struct {
	flag, value, description string
	set                      func(*keywrightv1alpha1.RevocationSpec)
}

// choices returns the claims by which the token can be revoked, the narrowest first.
func (t *tokenClaims) choices() []choice {
	all := []choice{
		{"--jti", t.TokenID, "this token only", func(s *keywrightv1alpha1.RevocationSpec) { s.TokenID = t.TokenID }},
		{"--session", t.SessionID, "its session: all tokens of this login", func(s *keywrightv1alpha1.RevocationSpec) { s.SessionID = t.SessionID }},
		{"--subject", t.Subject, "all tokens of its user until now", func(s *keywrightv1alpha1.RevocationSpec) { s.Subject = t.Subject }},
		{"--client", t.ClientID, "all tokens of its client until now, of any subject", func(s *keywrightv1alpha1.RevocationSpec) { s.ClientID = t.ClientID }},
	}
	var there []choice
	for _, c := range all {
		if c.value != "" {
			there = append(there, c)
		}
	}
	return there
}

// readRequest reads a token, warns if it is unlikely to be the right one, and asks by which claim to revoke it.
func (c *command) readRequest(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, r *request) error {
	token := r.token
	if token == "-" {
		var err error
		if token, err = c.readToken(ctx); err != nil {
			return err
		}
	}
	claims, err := readClaims(token)
	if err != nil {
		return err
	}
	for _, warning := range c.warnings(ctx, k, key, &claims) {
		cli.Printf(c.ErrOut, "Warning: %s.\n", warning)
	}
	choices := claims.choices()
	if len(choices) == 0 {
		return errors.New("the token has no jti, sid, sub or client_id, so only its key can be revoked: `kubectl keywright revoke " +
			key.Name + " --key " + cli.OrDash(claims.kid) + "`")
	}
	chosen, err := c.choose(ctx, choices, r.yes)
	if err != nil {
		return err
	}
	chosen.set(&r.spec)
	if r.issuedBefore != "" && chosen.flag != "--subject" && chosen.flag != "--client" {
		return cli.Usagef("--issued-before cannot be used with %s", chosen.flag)
	}
	return nil
}

// readToken reads the token from the first line of standard input.
func (c *command) readToken(ctx context.Context) (string, error) {
	cli.Printf(c.ErrOut, "Token: ")
	token, err := c.ReadLine(ctx)
	cli.Printf(c.ErrOut, "\n")
	switch {
	case ctx.Err() != nil:
		return "", errors.New("interrupted: nothing was revoked")
	case err != nil || token == "":
		return "", errors.New("there is no token on standard input")
	}
	return token, nil
}

// warnings returns why the token may not be one of this SigningKey, and whether it has expired.
func (c *command) warnings(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, t *tokenClaims) []string {
	var warnings []string
	if keyOf(key, t.kid) == nil {
		warning := fmt.Sprintf("SigningKey %s has no key %q, which is the kid of the token", key.Name, t.kid)
		var list keywrightv1alpha1.SigningKeyList
		_ = k.List(ctx, &list) // only a hint: the user may lack the permission
		for i := range list.Items {
			if keyOf(&list.Items[i], t.kid) != nil {
				warning += fmt.Sprintf(": it is a key of SigningKey %s", list.Items[i].Name)
			}
		}
		warnings = append(warnings, warning+fmt.Sprintf(". The iss of the token is %q", t.Issuer))
	}
	if expiry := time.Unix(int64(t.Expiry), 0); t.Expiry > 0 && expiry.Before(c.ServerNow()) {
		warnings = append(warnings, "the token expired at "+expiry.UTC().Format(time.RFC3339)+", so services already reject it")
	}
	return warnings
}

// choose asks which claim to use. With --yes it is the narrowest one, the jti.
func (c *command) choose(ctx context.Context, choices []choice, yes bool) (choice, error) {
	if yes {
		if choices[0].flag == "--jti" {
			return choices[0], nil
		}
		return choice{}, fmt.Errorf("the token has no jti and cannot be revoked alone: run the command without --yes to choose what to revoke")
	}
	cli.Printf(c.ErrOut, "The signature was not checked. The token contains:\n")
	for i, ch := range choices {
		cli.Printf(c.ErrOut, "  %d  %-9s %q: %s\n", i+1, ch.flag[2:], ch.value, ch.description)
	}
	answer, err := c.ask(ctx, fmt.Sprintf("Revoke which? [1-%d]", len(choices)))
	if err != nil {
		return choice{}, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(choices) {
		return choice{}, cli.Negativef("not revoked")
	}
	return choices[n-1], nil
}

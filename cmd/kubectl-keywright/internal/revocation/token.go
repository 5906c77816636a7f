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

// tokenClaims is what a token says of itself. Nobody has verified it.
type tokenClaims struct {
	TokenID   string  `json:"jti"`
	SessionID string  `json:"sid"`
	Subject   string  `json:"sub"`
	ClientID  string  `json:"client_id"`
	Issuer    string  `json:"iss"`
	Expiry    float64 `json:"exp"`
	kid       string
}

// readClaims takes apart a signed JWT (RFC 7519 section 7.2) without verifying it. No error repeats the token.
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
		return t, errors.New("the token is encrypted, and only its receiver can say what is in it: name --subject or --client instead")
	}
	if err := untrusted.Decode(parts[0], &header); err != nil {
		return t, errors.New("this is no JWT: its header is no JSON in base64url")
	}
	if err := untrusted.Decode(parts[1], &t); err != nil {
		return t, errors.New("this is no JWT with claims: its payload is no JSON object in base64url, or jti, sid, sub or client_id is no string")
	}
	t.kid = header.KeyID
	return t, nil
}

// choice is one thing of a token that can be ended.
type choice struct {
	flag, value, means string
	take               func(*keywrightv1alpha1.RevocationSpec)
}

// choices are what of the token can be ended, the least first.
func (t *tokenClaims) choices() []choice {
	all := []choice{
		{"--jti", t.TokenID, "this token alone", func(s *keywrightv1alpha1.RevocationSpec) { s.TokenID = t.TokenID }},
		{"--session", t.SessionID, "its session: all tokens of this login", func(s *keywrightv1alpha1.RevocationSpec) { s.SessionID = t.SessionID }},
		{"--subject", t.Subject, "all tokens of its user until now", func(s *keywrightv1alpha1.RevocationSpec) { s.Subject = t.Subject }},
		{"--client", t.ClientID, "all tokens of its client until now, whoever they speak for", func(s *keywrightv1alpha1.RevocationSpec) { s.ClientID = t.ClientID }},
	}
	var there []choice
	for _, c := range all {
		if c.value != "" {
			there = append(there, c)
		}
	}
	return there
}

// fromToken reads a token, warns of what is strange about it, and asks what of it is meant.
func (c *command) fromToken(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, r *revocation) error {
	token := r.token
	if token == "-" {
		var err error
		if token, err = c.pastedToken(ctx); err != nil {
			return err
		}
	}
	claims, err := readClaims(token)
	if err != nil {
		return err
	}
	for _, warning := range c.strangeAbout(ctx, k, key, &claims) {
		cli.Printf(c.ErrOut, "Warning: %s.\n", warning)
	}
	choices := claims.choices()
	if len(choices) == 0 {
		return errors.New("the token has neither jti, sid, sub nor client_id, so nothing of it can be ended but its key: `kubectl keywright revoke " +
			key.Name + " --key " + cli.OrDash(claims.kid) + "`")
	}
	chosen, err := c.choose(ctx, choices, r.yes)
	if err != nil {
		return err
	}
	chosen.take(&r.spec)
	if r.issuedBefore != "" && chosen.flag != "--subject" && chosen.flag != "--client" {
		return cli.Usagef("--issued-before does not go with %s", chosen.flag)
	}
	return nil
}

// pastedToken reads the token from the first line of standard input.
func (c *command) pastedToken(ctx context.Context) (string, error) {
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

// strangeAbout says what makes it doubtful that the token is one of this SigningKey, or that it is worth the effort.
func (c *command) strangeAbout(ctx context.Context, k client.Client, key *keywrightv1alpha1.SigningKey, t *tokenClaims) []string {
	var warnings []string
	if keyOf(key, t.kid) == nil {
		warning := fmt.Sprintf("SigningKey %s has no key %q now, which the token says it is signed with", key.Name, t.kid)
		var list keywrightv1alpha1.SigningKeyList
		_ = k.List(ctx, &list) // a hint, for those who may list them
		for i := range list.Items {
			if keyOf(&list.Items[i], t.kid) != nil {
				warning += fmt.Sprintf(": it is one of SigningKey %s", list.Items[i].Name)
			}
		}
		warnings = append(warnings, warning+fmt.Sprintf(". The issuer that it names is %q", t.Issuer))
	}
	if expiry := time.Unix(int64(t.Expiry), 0); t.Expiry > 0 && expiry.Before(c.ServerNow()) {
		warnings = append(warnings, "the token expired at "+expiry.UTC().Format(time.RFC3339)+" and is refused without this")
	}
	return warnings
}

// choose asks which of the choices is meant. Whoever does not want to be asked means the least, the token alone.
func (c *command) choose(ctx context.Context, choices []choice, yes bool) (choice, error) {
	if yes {
		if choices[0].flag == "--jti" {
			return choices[0], nil
		}
		return choice{}, fmt.Errorf("the token has no jti, so it cannot be ended alone: without --yes, revoke asks what else of it to end")
	}
	cli.Printf(c.ErrOut, "The token says, and nobody has verified it:\n")
	for i, ch := range choices {
		cli.Printf(c.ErrOut, "  %d  %-9s %q: %s\n", i+1, ch.flag[2:], ch.value, ch.means)
	}
	answer, err := c.ask(ctx, fmt.Sprintf("End which? [1-%d]", len(choices)))
	if err != nil {
		return choice{}, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(choices) {
		return choice{}, cli.Negativef("not revoked")
	}
	return choices[n-1], nil
}

package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keywright/keywright/issuer/claimmapping"
	"github.com/keywright/keywright/issuer/jwtverify"
	"github.com/keywright/keywright/issuer/strictyaml"
	"github.com/keywright/keywright/issuer/token"
)

// TrustedIssuer is an issuer whose tokens can be exchanged (RFC 8693), such as an API server or an OpenID provider.
type TrustedIssuer struct {
	// Name identifies the issuer in the clients' subjectIssuers.
	Name string `yaml:"name"`
	// Issuer is the iss of its tokens.
	Issuer string `yaml:"issuer"`
	// Audience is the required aud of its tokens, by default this issuer.
	Audience string `yaml:"audience"`
	// Keys is the source of its public keys, by default its metadata (RFC 8414).
	Keys jwtverify.KeySource `yaml:"keys"`
	// Allow is a CEL expression over claims that returns whether a token may be exchanged, by default true.
	Allow string `yaml:"allow"`
	// Subject is a CEL expression that returns the new sub, by default the name, a colon and the original sub.
	Subject string `yaml:"subject"`
	// Claims are CEL expressions that return claims of the new token.
	Claims map[string]string `yaml:"claims"`

	allow, subject *claimmapping.Expression
	claims         map[string]*claimmapping.Expression
}

// MappedClaims is the result of Map.
type MappedClaims struct {
	Subject string
	Claims  map[string]any
}

// Map evaluates the expressions. It returns an error if one has no value, or if the token is not allowed.
func (t *TrustedIssuer) Map(claims map[string]any) (*MappedClaims, error) {
	if t.allow != nil {
		switch allowed, err := t.allow.Evaluate(claims); {
		case err != nil:
			return nil, fmt.Errorf("tokenExchange %s: allow has no value for this token: %w", t.Name, err)
		case allowed != true:
			return nil, fmt.Errorf("tokenExchange %s: allow is false for this token", t.Name)
		}
	}
	m := &MappedClaims{Claims: make(map[string]any, len(t.claims))}
	m.Subject, _ = claims["sub"].(string)
	m.Subject = t.Name + ":" + m.Subject
	if t.subject != nil {
		value, err := t.subject.Evaluate(claims)
		if err != nil {
			return nil, fmt.Errorf("tokenExchange %s: subject: %w", t.Name, err)
		}
		m.Subject, _ = value.(string)
	}
	if !token.IsSubject(m.Subject) {
		return nil, fmt.Errorf("tokenExchange %s: the subject is not a valid sub", t.Name)
	}
	for claim, expression := range t.claims {
		value, err := expression.Evaluate(claims)
		if err != nil {
			return nil, fmt.Errorf("claim %s of tokenExchange %s: %w", claim, t.Name, err)
		}
		if value != nil {
			m.Claims[claim] = value
		}
	}
	return m, nil
}

// issuerName has no colon, which separates it from the subject.
var issuerName = regexp.MustCompile(`^[\x21-\x39\x3b-\x7e]{1,128}$`)

// isStringOrURI reports whether a text is valid as iss (RFC 7519 sections 2 and 4.1.1).
func isStringOrURI(text string) bool {
	if text == "" || len(text) > 512 || !token.IsText(text) {
		return false
	}
	if !strings.Contains(text, ":") {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.User == nil
}

// SubjectIssuer returns the name of the trusted issuer for whose tokens a subject with this prefix is reserved, or
// "".
func (c *Config) SubjectIssuer(subject string) string {
	for i := range c.TokenExchange {
		if strings.HasPrefix(subject, c.TokenExchange[i].Name+":") {
			return c.TokenExchange[i].Name
		}
	}
	return ""
}

func (c *Config) checkExchange(f *strictyaml.Findings) {
	for i := range c.TokenExchange {
		t := &c.TokenExchange[i]
		at := fmt.Sprintf("tokenExchange[%d]", i)
		if !issuerName.MatchString(t.Name) || slices.ContainsFunc(c.TokenExchange[:i], func(o TrustedIssuer) bool { return o.Name == t.Name }) {
			f.Add(at+".name", "must be 1 to 128 visible ASCII characters without a colon, and unique")
		}
		if t.Name+":" == token.ClientPrefix {
			f.Add(at+".name", "must not be client: the subjects of clients begin with it")
		}
		switch discovered := t.Keys.File == "" && t.Keys.URL == ""; {
		case discovered && !isHTTPS(t.Issuer):
			f.Add(at+".issuer", "must be an https URL without a user, unless keys.file or keys.url says where its keys are")
		case !isStringOrURI(t.Issuer):
			f.Add(at+".issuer", "must be a text of 1 to 512 bytes, and a URI without a user if it has a colon (RFC 7519 section 4.1.1)")
		case t.Issuer == c.Issuer || slices.ContainsFunc(c.TokenExchange[:i], func(o TrustedIssuer) bool { return o.Issuer == t.Issuer }):
			f.Add(at+".issuer", "must differ from issuer and from every other tokenExchange[].issuer")
		}
		if t.Keys.URL != "" && (!isHTTPS(t.Keys.URL) || t.Keys.File != "") {
			f.Add(at+".keys", "must have either file or url, and url must be https without a user")
		}
		if t.Keys.TokenFile != "" && t.Keys.URL == "" {
			f.Add(at+".keys.tokenFile", "needs keys.url: with discovery, the token would be sent to any server that jwks_uri names")
		}
		t.compile(at, f)
	}
}

func (t *TrustedIssuer) compile(at string, f *strictyaml.Findings) {
	compile := func(field, text, kind string) *claimmapping.Expression {
		if text == "" && f.Has(at+field) {
			f.Add(at+field, "is empty: set an expression, or remove the field")
		}
		if text == "" {
			return nil
		}
		e, err := claimmapping.Compile(text, kind)
		if err != nil {
			f.Add(at+field, "is not a valid CEL expression: %v", err)
		}
		return e
	}
	t.allow, t.subject = compile(".allow", t.Allow, "bool"), compile(".subject", t.Subject, "string")
	t.claims = make(map[string]*claimmapping.Expression, len(t.Claims))
	for claim, text := range t.Claims {
		switch {
		case claim == "" || text == "":
			f.Add(at+".claims."+claim, "has no expression")
		case token.Reserved(claim):
			f.Add(at+".claims."+claim, "is reserved for the issuer")
		case token.Forbidden(claim):
			f.Add(at+".claims."+claim, "looks like a secret, by its name: leave it out, because anyone who has a token can read its claims")
		default:
			t.claims[claim] = compile(".claims."+claim, text, "")
		}
	}
}

// TrustedIssuerFor returns the trusted issuer with this iss, if the client may use it.
func (c *Config) TrustedIssuerFor(client *Client, iss string) (*TrustedIssuer, bool) {
	for i := range c.TokenExchange {
		t := &c.TokenExchange[i]
		if t.Issuer == iss && slices.Contains(client.SubjectIssuers, t.Name) {
			return t, true
		}
	}
	return nil, false
}

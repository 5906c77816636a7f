package login

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// HashNewPassword validates and hashes a new password. The error does not quote it.
func HashNewPassword(password string) (string, error) {
	_, prepared, usable := Prepare("x", password)
	if !usable || TooLong("", password) {
		return "", errors.New("the password must have 1 to 1024 bytes and no control characters")
	}
	return HashPassword(prepared), nil
}

// NewName validates and normalizes a new user name.
func NewName(name string) (string, error) {
	prepared, err := PrepareName(name)
	if err != nil || TooLong(prepared, "") {
		return "", errors.New("not a valid user name (RFC 8265 section 3): it must have 1 to 256 bytes, without spaces and control characters")
	}
	return prepared, nil
}

// NewSubject returns a random, unique subject.
func NewSubject() string { return strings.ToLower(rand.Text()) }

// NewUser is an entry to add to a list.
type NewUser struct {
	Name, Subject, PasswordHash string
	Disabled                    bool
	Scopes                      []string
	// Claims are written in this order.
	Claims []NewClaim
}

// NewClaim is an attribute of a new user.
type NewClaim struct {
	Name string
	// Value is JSON, or else a string.
	Value string
}

// node returns the entry in YAML.
func (n *NewUser) node() *yaml.Node {
	user := mappingOf("name", scalarOf(n.Name), "subject", scalarOf(n.Subject), "passwordHash", scalarOf(n.PasswordHash))
	add := func(name string, value *yaml.Node) { user.Content = append(user.Content, scalarOf(name), value) }
	if n.Disabled {
		add("disabled", boolOf(true))
	}
	if n.Scopes != nil {
		scopes := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
		for _, scope := range n.Scopes {
			scopes.Content = append(scopes.Content, scalarOf(scope))
		}
		add("scopes", scopes)
	}
	if len(n.Claims) > 0 {
		claims := mappingOf()
		for _, claim := range n.Claims {
			claims.Content = append(claims.Content, scalarOf(claim.Name), claim.node())
		}
		add("claims", claims)
	}
	return user
}

func (c *NewClaim) node() *yaml.Node {
	var document yaml.Node
	if json.Valid([]byte(c.Value)) && yaml.Unmarshal([]byte(c.Value), &document) == nil {
		unquote(document.Content[0])
		return document.Content[0]
	}
	return scalarOf(c.Value)
}

// unquote removes the quotes of JSON where YAML does not need them.
func unquote(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		node.Style = 0
	}
	for _, child := range node.Content {
		unquote(child)
	}
}

func mappingOf(members ...any) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, member := range members {
		if name, ok := member.(string); ok {
			member = scalarOf(name)
		}
		node.Content = append(node.Content, member.(*yaml.Node)) //nolint:forcetypeassert // what callers above give
	}
	return node
}

func scalarOf(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

func boolOf(value bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(value)}
}

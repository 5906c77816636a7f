package login

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/issuer/config"
)

// EmptyList is a list without users.
const EmptyList = "apiVersion: " + config.APIVersion + "\nkind: " + Kind + "\nusers: []\n"

// Edit edits the text of a list of users. A change affects only the lines of one user, and preserves comments and
// formatting of all others. If that is not possible, as for JSON, the whole text is rewritten with its comments.
type Edit struct {
	text  []byte
	users *Users
}

// EditUsers begins to edit a list. It returns an error if ParseUsers does.
func EditUsers(text []byte) (*Edit, error) {
	users, err := ParseUsers(text)
	if err != nil {
		return nil, err
	}
	return &Edit{text: text, users: users}, nil
}

// Bytes returns the current text, which is valid for ParseUsers.
func (e *Edit) Bytes() []byte { return e.text }

// Users returns the current users.
func (e *Edit) Users() *Users { return e.users }

// Find returns a user by name.
func (e *Edit) Find(name string) (*Description, error) {
	prepared, err := NewName(name)
	if err != nil {
		return nil, err
	}
	all := e.users.Describe()
	i := slices.IndexFunc(all, func(d Description) bool { return d.Name == prepared })
	if i < 0 {
		return nil, fmt.Errorf("there is no user %q in the list", prepared)
	}
	return &all[i], nil
}

// Add appends a user. It returns an error if the name or the subject exists.
func (e *Edit) Add(user *NewUser) error {
	name, err := NewName(user.Name)
	if err != nil {
		return err
	}
	for _, other := range e.users.Describe() {
		switch {
		case other.Name == name:
			return fmt.Errorf("user %q is already in the list", name)
		case other.Subject == user.Subject:
			return fmt.Errorf("the user %q already has this subject", other.Name)
		}
	}
	made := *user
	made.Name = name
	return e.change(func(l *userTree) { l.append(made.node()) }, func(l *userTree) ([]byte, bool) { return l.spliceIn(made.node()) })
}

// SetPasswordHash replaces the hash of a user.
func (e *Edit) SetPasswordHash(name, hash string) error {
	return e.set(name, "passwordHash", scalarOf(hash))
}

// SetDisabled sets whether a user is disabled.
func (e *Edit) SetDisabled(name string, disabled bool) error {
	return e.set(name, "disabled", boolOf(disabled))
}

func (e *Edit) set(name, field string, value *yaml.Node) error {
	i, err := e.index(name)
	if err != nil {
		return err
	}
	return e.change(func(l *userTree) { l.set(i, field, value) }, func(l *userTree) ([]byte, bool) { return l.spliceValue(i, field, value.Value) })
}

// Remove removes a user, and the comment directly above.
func (e *Edit) Remove(name string) error {
	i, err := e.index(name)
	if err != nil {
		return err
	}
	return e.change(func(l *userTree) { l.remove(i) }, func(l *userTree) ([]byte, bool) { return l.spliceOut(i) })
}

// index returns the index of a user in the list.
func (e *Edit) index(name string) (int, error) {
	found, err := e.Find(name)
	if err != nil {
		return 0, err
	}
	return slices.IndexFunc(e.users.inOrder, func(user *entry) bool { return user.Name == found.Name }), nil
}

// errNotEditable is returned if a change would affect other users.
var errNotEditable = errors.New("this list cannot be edited automatically, for example because users share YAML anchors: edit it by hand")

// change applies a change to the tree and to the text. It uses the text if it parses to the tree, and otherwise
// encodes the tree.
func (e *Edit) change(inTree func(*userTree), inText func(*userTree) ([]byte, bool)) error {
	want, err := parseTree(e.text)
	if err != nil {
		return err
	}
	before, err := parseTree(e.text)
	if err != nil {
		return err
	}
	inTree(want)
	if spliced, ok := inText(before); ok && e.commit(spliced, want) == nil {
		return nil
	}
	var written bytes.Buffer
	encoder := yaml.NewEncoder(&written)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := errors.Join(encoder.Encode(want.document), encoder.Close()); err != nil {
		return errNotEditable
	}
	return e.commit(written.Bytes(), want)
}

// commit accepts a text if it parses to the wanted tree and is a valid list.
func (e *Edit) commit(text []byte, want *userTree) error {
	got, err := parseTree(text)
	if err != nil || !equalNodes(got.document, want.document) {
		return errNotEditable
	}
	users, err := ParseUsers(text)
	if err != nil {
		return fmt.Errorf("the changed list would not be valid: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	e.text, e.users = text, users
	return nil
}

// equalNodes reports whether two documents have the same content, whatever their formatting.
func equalNodes(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, equalNodes)
}

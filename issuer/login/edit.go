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

// Edit is a list of users that changes as a text: a change touches the lines of one user, and leaves comments and formatting of all others
// as they are. Where that is not possible, as in a list that is written like JSON, the text is written anew, with its comments.
type Edit struct {
	text  []byte
	users *Users
}

// EditUsers begins to change a list. What ParseUsers refuses is an error.
func EditUsers(text []byte) (*Edit, error) {
	users, err := ParseUsers(text)
	if err != nil {
		return nil, err
	}
	return &Edit{text: text, users: users}, nil
}

// Bytes returns the list as it is now. ParseUsers has read it.
func (e *Edit) Bytes() []byte { return e.text }

// Users returns the users as they are now.
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

// Add appends a user. A name or a subject that is there already is an error.
func (e *Edit) Add(user *NewUser) error {
	name, err := NewName(user.Name)
	if err != nil {
		return err
	}
	for _, other := range e.users.Describe() {
		switch {
		case other.Name == name:
			return fmt.Errorf("there is a user %q in the list already", name)
		case other.Subject == user.Subject:
			return fmt.Errorf("the subject is that of the user %q", other.Name)
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

// SetDisabled says whether a user can log in.
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

// Remove takes a user out of the list, with the comment that stands right above.
func (e *Edit) Remove(name string) error {
	i, err := e.index(name)
	if err != nil {
		return err
	}
	return e.change(func(l *userTree) { l.remove(i) }, func(l *userTree) ([]byte, bool) { return l.spliceOut(i) })
}

// index is the number of a user in the list.
func (e *Edit) index(name string) (int, error) {
	found, err := e.Find(name)
	if err != nil {
		return 0, err
	}
	return slices.IndexFunc(e.users.inOrder, func(user *entry) bool { return user.Name == found.Name }), nil
}

// errByHand is returned for a list that cannot be changed without changing more than was asked for.
var errByHand = errors.New("this list cannot be changed by a program without a change of something else, as where users share anchors: change it by hand")

// change makes a change twice: in the tree, which tells what the list must say afterwards, and in the text, which keeps how it is said. The
// text is taken if it says that, and else the tree is written down.
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
	if spliced, ok := inText(before); ok && e.take(spliced, want) == nil {
		return nil
	}
	var written bytes.Buffer
	encoder := yaml.NewEncoder(&written)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := errors.Join(encoder.Encode(want.document), encoder.Close()); err != nil {
		return errByHand
	}
	return e.take(written.Bytes(), want)
}

// take takes a text that says what it should. What a change would make of the list is judged first: it may be wrong itself.
func (e *Edit) take(text []byte, want *userTree) error {
	got, err := parseTree(text)
	if err != nil || !same(got.document, want.document) {
		return errByHand
	}
	users, err := ParseUsers(text)
	if err != nil {
		return fmt.Errorf("the changed list would not be valid: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	e.text, e.users = text, users
	return nil
}

// same reports whether two documents say the same, however they are written.
func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.ShortTag() == b.ShortTag() && a.Value == b.Value && a.Anchor == b.Anchor && slices.EqualFunc(a.Content, b.Content, same)
}

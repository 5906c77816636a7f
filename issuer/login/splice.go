package login

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// userTree is the YAML tree of a list of users, with its lines.
type userTree struct {
	document, root *yaml.Node
	// users is the sequence of users, nil if there is none.
	users *yaml.Node
	// lines are the lines of the text with their line ends.
	lines []string
}

func parseTree(text []byte) (*userTree, error) {
	l := &userTree{document: &yaml.Node{}, lines: strings.SplitAfter(string(text), "\n")}
	if err := yaml.Unmarshal(text, l.document); err != nil || len(l.document.Content) == 0 {
		return nil, errors.Join(errNotEditable, err)
	}
	l.root = l.document.Content[0]
	if last := len(l.lines) - 1; l.lines[last] == "" {
		l.lines = l.lines[:last]
	}
	_, l.users = member(l.root, "users")
	return l, nil
}

func member(node *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i+1 < len(node.Content) && node.Kind == yaml.MappingNode; i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i], node.Content[i+1]
		}
	}
	return nil, nil
}

// append appends a user to the tree.
func (l *userTree) append(user *yaml.Node) {
	if l.users == nil {
		l.users = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		l.root.Content = append(l.root.Content, scalarOf("users"), l.users)
	}
	if len(l.users.Content) == 0 {
		l.users.Style &^= yaml.FlowStyle
	}
	l.users.Content = append(l.users.Content, user)
}

// set sets a field of a user in the tree.
func (l *userTree) set(i int, field string, value *yaml.Node) {
	user := l.users.Content[i]
	if _, was := member(user, field); was != nil {
		style := was.Style
		was.Kind, was.Tag, was.Value, was.Style, was.Anchor, was.Alias = value.Kind, value.Tag, value.Value, 0, "", nil
		if value.Tag == "!!str" {
			was.Style = style & (yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		}
		return
	}
	at := len(user.Content)
	for j := 0; j+1 < len(user.Content); j += 2 { // the field disabled follows the hash
		if user.Content[j].Value == "passwordHash" {
			at = j + 2
		}
	}
	user.Content = append(user.Content[:at:at], append([]*yaml.Node{scalarOf(field), value}, user.Content[at:]...)...)
}

// remove removes a user from the tree.
func (l *userTree) remove(i int) {
	l.users.Content = append(l.users.Content[:i:i], l.users.Content[i+1:]...)
}

// inLines reports whether no two users share a line.
func (l *userTree) inLines() bool {
	return l.users != nil && len(l.users.Content) > 0 && l.users.Kind == yaml.SequenceNode && (l.root.Style|l.users.Style)&yaml.FlowStyle == 0
}

// spliceIn inserts a user after the last one in the text.
func (l *userTree) spliceIn(user *yaml.Node) ([]byte, bool) {
	if !l.inLines() {
		return nil, false
	}
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if errors.Join(encoder.Encode([]*yaml.Node{user}), encoder.Close()) != nil {
		return nil, false
	}
	indent := strings.Repeat(" ", l.users.Column-1)
	text := indent + strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\n", "\n"+indent) + "\n"
	return l.replace(l.end(len(l.users.Content)-1), 0, text), true
}

// spliceOut deletes the lines of a user, and of a comment directly above.
func (l *userTree) spliceOut(i int) ([]byte, bool) {
	if !l.inLines() || len(l.users.Content) == 1 {
		return nil, false
	}
	from, to := l.users.Content[i].Line-1, l.end(i)
	for from > 0 && strings.HasPrefix(strings.TrimSpace(l.lines[from-1]), "#") {
		from--
	}
	if to < len(l.lines) && isBlank(l.lines[to]) && (i == 0 || isBlank(l.lines[from-1])) {
		to++
	}
	return l.replace(from, max(to-from, 0), ""), true
}

// end returns the number of lines up to the last one of a user.
func (l *userTree) end(i int) int {
	end := len(l.lines)
	if i+1 < len(l.users.Content) {
		end = l.users.Content[i+1].Line - 1
	} else {
		for j := 0; j+1 < len(l.root.Content); j += 2 {
			if line := l.root.Content[j].Line; line > l.users.Content[i].Line && line <= end {
				end = line - 1
			}
		}
	}
	for end > 0 && (isBlank(l.lines[end-1]) || strings.HasPrefix(strings.TrimSpace(l.lines[end-1]), "#")) {
		end--
	}
	return end
}

func isBlank(line string) bool { return strings.TrimSpace(line) == "" }

// spliceValue replaces the value of a field of a user in the text, or inserts the field after the hash.
func (l *userTree) spliceValue(i int, field, value string) ([]byte, bool) {
	user := l.users.Content[i]
	if _, was := member(user, field); was != nil {
		line, from, to, ok := l.span(was)
		if !ok {
			return nil, false
		}
		text := l.lines[line]
		quote := ""
		if field == "passwordHash" && (was.Style != 0 || (l.root.Style|l.users.Style|user.Style)&yaml.FlowStyle != 0) {
			quote = "'"
		}
		return l.replace(line, 1, text[:from]+quote+value+quote+text[to:]), true
	}
	key, hash := member(user, "passwordHash")
	if key == nil {
		return nil, false
	}
	line, _, to, ok := l.span(hash)
	switch text := ""; {
	case !ok:
		return nil, false
	case (l.root.Style|l.users.Style|user.Style)&yaml.FlowStyle != 0:
		text = l.lines[line]
		return l.replace(line, 1, text[:to]+", "+field+": "+value+text[to:]), true
	default:
		return l.replace(line+1, 0, strings.Repeat(" ", key.Column-1)+field+": "+value+"\n"), true
	}
}

// span returns the position of a scalar within one line, in bytes. It returns false if the scalar is not written
// literally.
func (l *userTree) span(node *yaml.Node) (line, from, to int, ok bool) {
	line = node.Line - 1
	if node.Kind != yaml.ScalarNode || line < 0 || line >= len(l.lines) {
		return 0, 0, 0, false
	}
	text := l.lines[line]
	for range node.Column - 1 {
		_, size := utf8.DecodeRuneInString(text[from:])
		from += size
	}
	written := node.Value
	switch node.Style {
	case yaml.SingleQuotedStyle:
		written = "'" + node.Value + "'"
	case yaml.DoubleQuotedStyle:
		written = `"` + node.Value + `"`
	case 0:
	default:
		return 0, 0, 0, false
	}
	if !strings.HasPrefix(text[from:], written) {
		return 0, 0, 0, false
	}
	return line, from, from + len(written), true
}

// replace returns the text with n lines replaced.
func (l *userTree) replace(from, n int, with string) []byte {
	before := strings.Join(l.lines[:from], "")
	if before != "" && !strings.HasSuffix(before, "\n") {
		before += "\n"
	}
	return []byte(before + with + strings.Join(l.lines[from+n:], ""))
}

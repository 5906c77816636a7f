package pages

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// anchor adds what GitHub makes of a heading: small letters, hyphens for spaces, nothing else but letters, digits, hyphens and
// underscores; a number if it is there already.
func (p *Page) anchor(heading string) {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
	name := slug
	for i := 1; p.Anchors[name]; i++ {
		name = fmt.Sprintf("%s-%d", slug, i)
	}
	p.Anchors[name] = true
}

// content is the text of a node without its markup.
func content(n ast.Node, source []byte) string {
	var b strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			b.Write(t.Value(source))
		} else {
			b.WriteString(content(child, source))
		}
	}
	return b.String()
}

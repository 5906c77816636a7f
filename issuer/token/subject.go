package token

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSubject reports whether a text can be the sub of a user, wherever the user comes from: 1 to 255 bytes of printable text that
// is not the sub of a client.
func IsSubject(text string) bool {
	return IsText(text) && text != "" && len(text) <= 255 && !strings.HasPrefix(text, ClientPrefix)
}

// IsText leaves out what logs and terminals would take for something else.
func IsText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

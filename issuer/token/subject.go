package token

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSubject reports whether a text is valid as the sub of a user: 1 to 255 bytes of printable text without
// ClientPrefix.
func IsSubject(text string) bool {
	return IsText(text) && text != "" && len(text) <= 255 && !strings.HasPrefix(text, ClientPrefix)
}

// IsText reports whether a text has no characters that logs and terminals interpret.
func IsText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

package untrusted

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// MaxTokenBytes limits the tokens that are decoded, in bytes.
const MaxTokenBytes = 64 << 10

// maxQuoted limits a quoted value, in bytes.
const maxQuoted = 200

// Split returns the parts of a JWT in compact serialization: three if it is signed (RFC 7515 section 7.1), five if it is encrypted
// (RFC 7516 section 7.1). Errors do not contain the token.
func Split(token string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(token), "Bearer "), ".")
	switch {
	case len(token) > MaxTokenBytes:
		return nil, fmt.Errorf("this is not a JWT: it is longer than %d bytes", MaxTokenBytes)
	case len(parts) != 3 && len(parts) != 5:
		return nil, fmt.Errorf("this is not a JWT: it has %d parts between dots, not 3", len(parts))
	}
	return parts, nil
}

// Decode decodes a part of a token. Numbers of no particular type become json.Number, which keeps all digits.
func Decode(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if decoder.More() {
		return errors.New("it is more than one JSON value")
	}
	return nil
}

// JSON formats a value as JSON, and escapes every character that a terminal or a reader could misinterpret.
func JSON(value any) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	var printable strings.Builder
	for _, r := range b.String() {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			printable.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&printable, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&printable, `\u%04x`, r)
		}
	}
	return printable.String(), nil
}

// Quote formats a value of a token for a message: printable, on one line, and shortened.
func Quote(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return "unreadable"
	}
	text, isText := value.(string)
	if !isText {
		text = string(b)
	}
	cut := ""
	if len(text) > maxQuoted {
		text, cut = strings.ToValidUTF8(text[:maxQuoted], ""), "…"
	}
	quoted := strconv.Quote(text)
	if !isText { // JSON has quotes of its own
		quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return quoted + cut
}

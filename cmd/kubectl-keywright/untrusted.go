package main

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

// maxTokenBytes bounds the tokens that are taken apart without being verified.
const maxTokenBytes = 64 << 10

// maxShown bounds a text out of a token in a message, in bytes.
const maxShown = 200

// tokenParts returns the parts of a JWT in compact serialization: three of a signed one (RFC 7515 section 7.1), five of an encrypted one
// (RFC 7516 section 7.1). No error repeats the token.
func tokenParts(token string) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(strings.TrimSpace(token), "Bearer "), ".")
	switch {
	case len(token) > maxTokenBytes:
		return nil, fmt.Errorf("this is no JWT: it is longer than %d bytes", maxTokenBytes)
	case len(parts) != 3 && len(parts) != 5:
		return nil, fmt.Errorf("this is no JWT: it has %d parts between dots, and not 3", len(parts))
	}
	return parts, nil
}

// readPart decodes a part of a token. Numbers keep their digits where it does not say which type they have.
func readPart(part string, into any) error {
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

// printableJSON writes a value as JSON that is safe to print: what a terminal or a reader could take for anything but a character is escaped.
func printableJSON(value any) (string, error) {
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

// shown is a value out of a token as a message shows it: printable, on one line and not long.
func shown(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return "unreadable"
	}
	text, isText := value.(string)
	if !isText {
		text = string(b)
	}
	cut := ""
	if len(text) > maxShown {
		text, cut = strings.ToValidUTF8(text[:maxShown], ""), "…"
	}
	quoted := strconv.Quote(text)
	if !isText { // JSON has quotes of its own
		quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	}
	return quoted + cut
}

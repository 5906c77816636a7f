package strictjson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth limits the nesting of a header, of claims and of a key set. Three levels are in use; unlimited recursion
// could exhaust the memory.
const maxDepth = 32

// reader is a parser of JSON text at the position at.
type reader struct {
	text  string
	at    int
	depth int
	names nameStack // of the nested objects being read
}

// Errors must not quote a token, so they have no details.
var (
	errSyntax  = errors.New("not JSON")
	errTwice   = errors.New("an object has the same name twice")
	errTooDeep = fmt.Errorf("nested deeper than %d levels", maxDepth)
)

// peek returns the next byte, or 0 at the end.
func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

// skip skips the next byte if it is c, which is not 0, and reports whether it was.
func (r *reader) skip(c byte) bool {
	if r.peek() != c {
		return false
	}
	r.at++
	return true
}

// skipSpace skips white space (RFC 8259 section 2).
func (r *reader) skipSpace() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// value skips a value.
func (r *reader) value() error {
	switch c := r.peek(); {
	case c == '{':
		return r.nested()
	case c == '[':
		return r.elements(nil)
	case c == '"':
		return r.string()
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	default:
		for _, word := range [...]string{"true", "false", "null"} {
			if strings.HasPrefix(r.text[r.at:], word) {
				r.at += len(word)
				return nil
			}
		}
		return errSyntax
	}
}

// maxLinearSearch is the maximum number of members for which a linear search for duplicates is faster than a map.
const maxLinearSearch = 16

// object reads the outermost object and appends its members to into.
func (r *reader) object(into Object) (Object, error) {
	_ = r.enter() // the first level is never too deep
	var seen map[string]bool
	for before := len(into); ; {
		more, err := r.next('}', len(into) == before)
		if !more {
			return into, err
		}
		m, err := r.member()
		if err != nil {
			return nil, err
		}
		known := false
		if seen == nil {
			known = into[before:].Has(m.Name)
		} else {
			known, seen[m.Name] = seen[m.Name], true
		}
		if known {
			return nil, errTwice
		}
		if into = append(into, m); seen == nil && len(into)-before == maxLinearSearch {
			seen = make(map[string]bool, 2*maxLinearSearch)
			for _, m := range into[before:] {
				seen[m.Name] = true
			}
		}
	}
}

// nested skips a nested object.
func (r *reader) nested() error {
	if err := r.enter(); err != nil {
		return err
	}
	var seen map[string]bool
	for before := r.names.count; ; {
		more, err := r.next('}', r.names.count == before)
		if !more {
			r.names.count = before
			return err
		}
		m, err := r.member()
		if err != nil {
			return err
		}
		known := false
		if seen == nil {
			known = r.names.contains(m.Name, before)
		} else {
			known, seen[m.Name] = seen[m.Name], true
		}
		if known {
			return errTwice
		}
		if r.names.push(m.Name); seen == nil && r.names.count-before == maxLinearSearch {
			seen = make(map[string]bool, 2*maxLinearSearch)
			for i := before; i < r.names.count; i++ {
				seen[r.names.at(i)] = true
			}
		}
	}
}

// member reads a name, a colon and a value.
func (r *reader) member() (Member, error) {
	start := r.at
	if r.peek() != '"' {
		return Member{}, errSyntax
	}
	if err := r.string(); err != nil {
		return Member{}, err
	}
	name, _ := Text(r.text[start:r.at])
	r.skipSpace()
	if !r.skip(':') {
		return Member{}, errSyntax
	}
	r.skipSpace()
	start = r.at
	err := r.value()
	return Member{name, r.text[start:r.at]}, err
}

// elements reads a list and appends its elements to into, if it is not nil.
func (r *reader) elements(into *[]string) error {
	if err := r.enter(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := r.next(']', first)
		if !more {
			return err
		}
		start := r.at
		if err := r.value(); err != nil {
			return err
		}
		if into != nil {
			*into = append(*into, r.text[start:r.at])
		}
	}
}

// enter skips the opening bracket of an object or a list.
func (r *reader) enter() error {
	r.at++
	if r.depth++; r.depth > maxDepth {
		return errTooDeep
	}
	return nil
}

// next skips to the next member or element. It returns false after the closing bracket.
func (r *reader) next(closing byte, first bool) (bool, error) {
	r.skipSpace()
	if r.skip(closing) {
		r.depth--
		return false, nil
	}
	if !first && !r.skip(',') {
		return false, errSyntax
	}
	r.skipSpace()
	return true, nil
}

// string skips a string (RFC 8259 section 7).
func (r *reader) string() error {
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return nil
		case c < ' ':
			return errSyntax
		case c == '\\':
			if err := r.escape(); err != nil {
				return err
			}
		}
	}
	return errSyntax
}

// escape skips an escape sequence, or a surrogate pair of two, up to its last byte. It rejects a lone surrogate (RFC
// 8259 section 8.2), because decoders replace it by U+FFFD and so map several strings to one.
func (r *reader) escape() error {
	rest := r.text[r.at:]
	if len(rest) < 2 || strings.IndexByte(`"\/bfnrtu`, rest[1]) < 0 {
		return errSyntax
	}
	if rest[1] != 'u' {
		r.at++
		return nil
	}
	const length = len(`\u0000`)
	first, ok := escapedUnit(rest)
	if !ok {
		return errSyntax
	}
	r.at += length - 1
	if !utf16.IsSurrogate(first) {
		return nil
	}
	second, _ := escapedUnit(rest[length:]) // an invalid escape is not a low surrogate
	if utf16.DecodeRune(first, second) == utf8.RuneError {
		return errors.New("a \\u escape is only half a surrogate pair")
	}
	r.at += length
	return nil
}

// escapedUnit returns the UTF-16 code unit of an escape such as \u0041 at the beginning of text.
func escapedUnit(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(unit), err == nil
}

// number skips a number (RFC 8259 section 6).
func (r *reader) number() error {
	r.skip('-')
	if !r.skip('0') && !r.digits() {
		return errSyntax
	}
	if r.skip('.') && !r.digits() {
		return errSyntax
	}
	if r.skip('e') || r.skip('E') {
		if !r.skip('+') {
			r.skip('-')
		}
		if !r.digits() {
			return errSyntax
		}
	}
	return nil
}

// digits skips digits, and reports whether there was one.
func (r *reader) digits() bool {
	start := r.at
	for '0' <= r.peek() && r.peek() <= '9' {
		r.at++
	}
	return r.at > start
}

package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Read decodes a document into a struct. A field that is unknown or repeated, or whose value is of another type, is an
// error, or a finding where reading can go on to find more. what names the document in errors.
func Read(b []byte, what string, into any) (*Findings, error) {
	f := &Findings{document: &yaml.Node{}}
	if err := yaml.Unmarshal(b, f.document); err != nil {
		return nil, fmt.Errorf("the %s is not YAML: %s", what, withoutValues(err.Error()))
	}
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	decoder.KnownFields(true)
	err := decoder.Decode(into)
	var mistyped *yaml.TypeError
	switch {
	case errors.As(err, &mistyped):
		for _, problem := range mistyped.Errors {
			f.problem(withoutValues(problem))
		}
		if strings.Contains(err.Error(), "already defined") { // then the library has read none of that mapping
			return nil, f.Err()
		}
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the %s is empty", what)
	case err != nil:
		return nil, fmt.Errorf("the %s cannot be read: %s", what, withoutValues(err.Error()))
	}
	f.refuseEmpty(f.document, "")
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the %s must be one YAML document", what)
	}
	return f, nil
}

var (
	// quoted is what the library says of values, of anchors (a value may begin with * or &), and of keys that are no text.
	quoted = regexp.MustCompile("(?s) ?`.*`|( anchor) '.*'|(invalid map key): .*")
	// tagged is where it names a tag: one that it does not know is a value that begins with an exclamation mark.
	tagged = regexp.MustCompile(`(?s)(cannot unmarshal)(?:( !!(?:binary|bool|float|int|map|merge|null|seq|str|timestamp))| .*) into `)
	goType = regexp.MustCompile(`( in type|into) [\w.]+$`)
	// unknown is how it calls a field that is there and not known.
	unknown = regexp.MustCompile(`field (.*) not found`)
)

// withoutValues leaves out what the YAML library quotes, and the names of Go's types that nobody knows.
func withoutValues(text string) string {
	text = quoted.ReplaceAllString(text, "$1$2")
	text = tagged.ReplaceAllString(text, "$1$2 into ")
	text = unknown.ReplaceAllString(text, "unknown field $1")
	return goType.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "into") && !strings.Contains(found, ".") {
			return found // into bool
		}
		return ""
	})
}

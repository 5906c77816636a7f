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

// Read decodes a document into a struct. A field that is unknown, repeated or without a value, or whose value is of another type, is a
// finding, and all else is read. An error is returned where nothing can be read. what names the document in errors.
func Read(b []byte, what string, into any) (*Findings, error) {
	f := &Findings{document: &yaml.Node{}}
	decoder := yaml.NewDecoder(bytes.NewReader(b))
	switch err := decoder.Decode(f.document); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the %s is empty", what)
	case err != nil:
		return nil, fmt.Errorf("the %s is not YAML: %s", what, withoutValues(err.Error()))
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the %s must be one YAML document", what)
	}
	f.compare(into)
	err := f.document.Decode(into)
	if err == nil || len(f.found) > 0 { // what the library says of values is found already
		return f, nil
	}
	var mistyped *yaml.TypeError
	if !errors.As(err, &mistyped) {
		return nil, fmt.Errorf("the %s cannot be read: %s", what, withoutValues(err.Error()))
	}
	for _, problem := range mistyped.Errors {
		f.problem("", 0, problem)
	}
	return f, nil
}

var (
	// quoted is what the library says of values, of anchors (a value may begin with * or &), and of keys that are no text.
	quoted = regexp.MustCompile("(?s) ?`.*`|( anchor) '.*'|(invalid map key): .*")
	// tagged is where it names a tag: one that it does not know is a value that begins with an exclamation mark.
	tagged = regexp.MustCompile(`(?s)(cannot unmarshal)(?:( !!(?:binary|bool|float|int|map|merge|null|seq|str|timestamp))| .*) into `)
	goType = regexp.MustCompile(`( in type|into) [\w.]+$`)
)

// withoutValues leaves out what the YAML library quotes, and the names of Go's types that nobody knows.
func withoutValues(text string) string {
	text = quoted.ReplaceAllString(text, "$1$2")
	text = tagged.ReplaceAllString(text, "$1$2 into ")
	return goType.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "into") && !strings.Contains(found, ".") {
			return found // into bool
		}
		return ""
	})
}

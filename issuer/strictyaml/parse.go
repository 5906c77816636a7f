package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Parse decodes a document into a struct. Unknown, duplicate and empty fields, and values of a wrong type, are
// findings, and all other fields are decoded. It returns an error if the document cannot be parsed at all. what names
// the document in errors.
func Parse(b []byte, what string, into any) (*Findings, error) {
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
	f.check(into)
	err := f.document.Decode(into)
	if err == nil || len(f.found) > 0 { // errors of values are already findings
		return f, nil
	}
	var mistyped *yaml.TypeError
	if !errors.As(err, &mistyped) {
		return nil, fmt.Errorf("the %s cannot be read: %s", what, withoutValues(err.Error()))
	}
	for _, problem := range mistyped.Errors {
		f.recordYAMLError("", 0, problem)
	}
	return f, nil
}

var (
	// quoted matches quoted values, anchors (a value may begin with * or &), and keys that are not strings.
	quoted = regexp.MustCompile("(?s) ?`.*`|( anchor) '.*'|(invalid map key): .*")
	// tagged matches tags: an unknown tag is a value that begins with an exclamation mark.
	tagged = regexp.MustCompile(`(?s)(cannot unmarshal)(?:( !!(?:binary|bool|float|int|map|merge|null|seq|str|timestamp))| .*) into `)
	goType = regexp.MustCompile(`( in type|into) [\w.]+$`)
)

// withoutValues removes values and the names of Go types from an error of the YAML library.
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

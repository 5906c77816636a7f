package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// typeName is how a person would call the type.
func typeName(s schema) string {
	switch {
	case s.Items != nil:
		return "list of " + typeName(*s.Items) + "s"
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

// presence is the default of a field, or whether there is always a value.
func presence(s schema, path string, required bool) string {
	switch {
	case s.Default == nil && !required:
		return ""
	case s.Default == nil && strings.HasPrefix(path, "status."):
		return "always"
	case s.Default == nil:
		return "required"
	}
	if text, ok := s.Default.(string); ok {
		return "`" + text + "`"
	}
	if empty, ok := s.Default.(map[string]any); ok && len(empty) == 0 {
		return "" // its own fields have defaults
	}
	text, err := json.Marshal(s.Default)
	if err != nil {
		return ""
	}
	return "`" + string(text) + "`"
}

// bounds say what the API server refuses, one sentence each: of the field, of the members if it is a list, and of rules further out.
func bounds(s schema, rules []string) []string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		add("One of %s.", strings.Join(values, ", "))
	}
	for _, limit := range []struct {
		value *int64
		text  string
	}{{s.MinLength, "At least %d characters."}, {s.MaxLength, "At most %d characters."}, {s.MaxItems, "At most %d."}} {
		if limit.value != nil {
			add(limit.text, *limit.value)
		}
	}
	if s.Minimum != nil {
		add("At least %v.", *s.Minimum)
	}
	if s.Maximum != nil {
		add("At most %v.", *s.Maximum)
	}
	if s.ListType == "set" {
		add("None twice.")
	}
	if s.Pattern != "" {
		add("Matches `%s`.", s.Pattern)
	}
	if s.Items != nil && len(s.Items.Properties) == 0 {
		for _, b := range bounds(*s.Items, nil) {
			add("Each: %s", lower(b))
		}
	}
	for _, r := range s.Rules {
		if r.FieldPath == "" {
			rules = append(rules, r.Message)
		}
	}
	for _, r := range rules {
		add("%s", sentence(r))
	}
	return all
}

// meaning is the comment of a field without the field's name, with which it begins as Go asks for.
func meaning(name, description string) string {
	text := line(description)
	if rest, ok := strings.CutPrefix(text, name+" "); ok {
		text = strings.TrimPrefix(strings.TrimPrefix(rest, "is "), "are ")
	}
	return sentence(text)
}

// cell joins sentences to the text of a table's cell.
func cell(sentences []string) string {
	return strings.ReplaceAll(strings.Join(sentences, " "), "|", `\|`)
}

// line takes out the line breaks.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// sentence is a text on one line, with a full stop, and with a capital unless it begins with the name of a field.
func sentence(s string) string {
	text := strings.TrimSuffix(line(s), ".")
	if first, _, _ := strings.Cut(text, " "); first != "" && !strings.ContainsAny(first, ".`") && first == strings.ToLower(first) {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

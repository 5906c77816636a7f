package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// schema is a JSON schema, and where descriptions go into its text.
type schema struct {
	text  []byte
	from  *json.Decoder
	texts map[string]string
	// at has the descriptions by the offset of what they are put before.
	at map[int64]string
}

// describe returns the schema with the texts, which are by the path of a property, like issuer.service.port. The layout stays.
func describe(text []byte, texts map[string]string) ([]byte, error) {
	written := regexp.MustCompile(`(\{\s*)"description": "(?:[^"\\]|\\.)*",\s*`)
	text = written.ReplaceAll(text, []byte("$1"))
	s := &schema{text: text, from: json.NewDecoder(bytes.NewReader(text)), texts: texts, at: map[int64]string{}}
	if err := s.object("", false); err != nil {
		return nil, err
	}
	if _, err := s.from.Token(); err != io.EOF {
		return nil, fmt.Errorf("text after the schema: %w", err)
	}
	var out bytes.Buffer
	for i := range text {
		if member, ok := s.at[int64(i)]; ok {
			out.WriteString(member)
		}
		out.WriteByte(text[i])
	}
	return out.Bytes(), nil
}

// object reads the schema of a property, or of an item of it. Only the property itself is described.
func (s *schema) object(path string, property bool) error {
	if start, err := s.from.Token(); err != nil || start != json.Delim('{') {
		return fmt.Errorf("%s: no schema: %v %w", path, start, err)
	}
	start, described := s.from.InputOffset(), !property
	for s.from.More() {
		name, err := s.from.Token()
		if err != nil {
			return err
		}
		switch name {
		case "properties":
			err = s.properties(path)
		case "items":
			err = s.object(path, false)
		case "description":
			described = true
			fallthrough
		default:
			err = s.from.Decode(&json.RawMessage{})
		}
		if err != nil {
			return err
		}
	}
	if text := s.texts[path]; text != "" && !described {
		s.put(start, text)
	}
	_, err := s.from.Token()
	return err
}

func (s *schema) properties(path string) error {
	if _, err := s.from.Token(); err != nil {
		return err
	}
	if path != "" {
		path += "."
	}
	for s.from.More() {
		name, err := s.from.Token()
		if err != nil {
			return err
		}
		if err := s.object(fmt.Sprint(path, name), true); err != nil {
			return err
		}
	}
	_, err := s.from.Token()
	return err
}

// put notes the description for before the first member, on a line of its own if that has one.
func (s *schema) put(start int64, text string) {
	var quoted bytes.Buffer
	e := json.NewEncoder(&quoted)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string cannot fail
	rest := s.text[start:]
	space := rest[:len(rest)-len(bytes.TrimLeft(rest, " \n"))]
	member := `"description": ` + string(bytes.TrimSpace(quoted.Bytes())) + ","
	if len(space) == 0 {
		member += " "
	}
	s.at[start+int64(len(space))] = member + string(space)
}

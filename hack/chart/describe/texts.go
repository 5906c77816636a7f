package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	yamlv3 "go.yaml.in/yaml/v3"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// ofValues returns the comments of a values.yaml: of a value those that begin with "# -- ", and of a map any.
func ofValues(file string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var root yamlv3.Node
	if err := yamlv3.Unmarshal(b, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	texts := map[string]string{}
	addComments(texts, "", root.Content[0])
	return texts, nil
}

func addComments(texts map[string]string, path string, node *yamlv3.Node) {
	if node.Kind != yamlv3.MappingNode {
		return
	}
	for i := 0; i < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		at := path + name.Value
		comment := strings.ReplaceAll(strings.TrimPrefix(name.HeadComment, "# "), "\n# ", " ")
		if text, ok := strings.CutPrefix(comment, "-- "); ok || value.Kind == yamlv3.MappingNode && text != "" {
			texts[at] = plain(text)
		}
		addComments(texts, at+".", value)
	}
}

// plain returns a text of Markdown without links.
func plain(text string) string {
	return regexp.MustCompile(`\[([^]]*)\]\(([^)]*)\)`).ReplaceAllString(text, "$1 ($2)")
}

// ofCRD returns the descriptions of the spec of a custom resource, with a prefix of their paths.
func ofCRD(file, prefix string) (map[string]string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(b, &crd); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	texts := map[string]string{}
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	addProperty(texts, prefix, "spec", spec)
	return texts, nil
}

// addProperty adds the descriptions of a property, and of the properties of it or of its items.
func addProperty(texts map[string]string, path, name string, of apiextensionsv1.JSONSchemaProps) {
	path += "." + name
	if of.Description != "" {
		texts[path] = withoutName(name, of.Description)
	}
	if of.Items != nil && of.Items.Schema != nil {
		of = *of.Items.Schema
	}
	for name, property := range of.Properties {
		addProperty(texts, path, name, property)
	}
}

// structs are the struct types of a package, by name, and their comments.
type structs map[string]*ast.TypeSpec

// ofStructs returns the comments of the fields of a struct, by the names in YAML, with a prefix of their paths. The structs of all
// directories have different names.
func ofStructs(of, prefix string, directories ...string) (map[string]string, error) {
	var files []string
	for _, directory := range directories {
		found, err := filepath.Glob(filepath.Join(directory, "*.go"))
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	all := structs{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				for _, s := range n.Specs {
					if t, ok := s.(*ast.TypeSpec); ok && t.Doc == nil {
						t.Doc = n.Doc
					}
				}
			case *ast.TypeSpec:
				all[n.Name.Name] = n
			}
			return true
		})
	}
	texts := map[string]string{}
	all.addTo(texts, of, prefix)
	return texts, nil
}

func (all structs) addTo(texts map[string]string, of, path string) {
	spec := all[of]
	if spec == nil {
		return
	}
	fields, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range fields.Fields.List {
		if f.Tag == nil || len(f.Names) != 1 {
			continue
		}
		tag, _ := strconv.Unquote(f.Tag.Value)
		name, _, _ := strings.Cut(reflect.StructTag(tag).Get("yaml"), ",")
		at, typ := path+"."+name, nameOf(f.Type)
		switch {
		case f.Doc != nil:
			texts[at] = withoutName(f.Names[0].Name, f.Doc.Text())
		case all[typ] != nil:
			texts[at] = withoutName(typ, all[typ].Doc.Text())
		}
		all.addTo(texts, typ, at)
	}
}

// nameOf returns the name of a type, or of what it points to or lists.
func nameOf(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.StarExpr:
		return nameOf(t.X)
	case *ast.ArrayType:
		return nameOf(t.Elt)
	}
	return ""
}

// withoutName returns a comment of Go in one line, without the name that it begins with, and its verb if that is "is" or "are". The
// name stays if it is a noun: "name of the object".
func withoutName(name, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return ""
	}
	for _, start := range []string{name + " is ", name + " are ", name + " "} {
		if rest, ok := strings.CutPrefix(text, start); ok && !strings.HasPrefix(rest, "of ") {
			text = rest
			break
		}
	}
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}

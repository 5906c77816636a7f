package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// What is said after an installation changes only where a reviewer sees it. Each case says something else.
func TestNotes(t *testing.T) {
	changed := t.TempDir()
	if err := os.CopyFS(changed, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	// Helm renders the notes only when it installs into a cluster, so here they are what a ConfigMap holds.
	notes, err := os.ReadFile(filepath.Join(chart, "templates", "NOTES.txt"))
	if err != nil {
		t.Fatal(err)
	}
	holder := `{{- define "notes" }}` + string(notes) + `{{ end }}` + "\nkind: Notes\ntext: {{ include \"notes\" . | toJson }}\n"
	if err := os.WriteFile(filepath.Join(changed, "templates", "notes.yaml"), []byte(holder), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, where := range cases {
		out, err := helm(t, "helm3", "template", where.release, changed, "--namespace", where.namespace, "--show-only", "templates/notes.yaml",
			"--values", filepath.Join("testdata", "values", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := unstructured.NestedString(objects(t, out)[0].Object, "text")
		wantGolden(t, name+".notes.txt", strings.TrimSpace(text)+"\n", true)
	}
}

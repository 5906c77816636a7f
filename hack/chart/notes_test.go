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
	withNotes := map[string]string{chart: notesHolder(t, chart), issuerChart: notesHolder(t, issuerChart)}
	for name, where := range cases {
		out, err := helm(t, "helm3", "template", where.release, withNotes[where.chart], "--namespace", where.namespace, "--show-only", "templates/notes.yaml",
			"--values", filepath.Join("testdata", "values", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := unstructured.NestedString(objects(t, out)[0].Object, "text")
		wantGolden(t, name+".notes.txt", strings.TrimSpace(text)+"\n", true)
	}
}

// notesHolder is a copy of a chart whose notes are what an object holds: Helm renders notes only when it installs into a cluster.
func notesHolder(t *testing.T, chart string) string {
	t.Helper()
	changed := t.TempDir()
	if err := os.CopyFS(changed, os.DirFS(chart)); err != nil {
		t.Fatal(err)
	}
	notes, err := os.ReadFile(filepath.Join(chart, "templates", "NOTES.txt"))
	if err != nil {
		t.Fatal(err)
	}
	holder := `{{- define "notes" }}` + string(notes) + `{{ end }}` + "\nkind: Notes\ntext: {{ include \"notes\" . | toJson }}\n"
	if err := os.WriteFile(filepath.Join(changed, "templates", "notes.yaml"), []byte(holder), 0o600); err != nil {
		t.Fatal(err)
	}
	return changed
}

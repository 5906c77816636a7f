package pages

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# A page\n\nSee [that](other.md#there), `make x`.\n\n| a | b |\n|---|---|\n| [in a table](t.md) | `a \\| b` |\n\n" +
	"## What `x` says, then\n\n## What x says then\n\n" +
	"<!-- not run: it would\nnot end -->\n```sh\nx [no link](n.md)\n```\n\ntext\n\n```sh\ny\n```\n\n- <!-- run: e2e -->\n  ```sh\n  z\n  ```\n"

func TestParse(t *testing.T) {
	want := Page{
		Path: "p.md", Links: []string{"other.md#there", "t.md"}, Spans: []string{"make x", "a | b", "x"},
		Anchors: map[string]bool{"a-page": true, "what-x-says-then": true, "what-x-says-then-1": true},
		Blocks: []Block{
			{Language: "sh", Mark: "not run: it would\nnot end", Text: "x [no link](n.md)\n", Line: 15},
			{Language: "sh", Text: "y\n", Line: 21},
			{Language: "sh", Mark: "run: e2e", Text: "z\n", Line: 26},
		},
	}
	if diff := cmp.Diff(want, Parse("p.md", []byte(page))); diff != "" {
		t.Error(diff)
	}
}

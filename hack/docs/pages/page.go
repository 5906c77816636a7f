package pages

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is one file of Markdown.
type Page struct {
	// Path is relative to the repository, with slashes.
	Path string
	// Links are the destinations of links and images, as they are written.
	Links []string
	// Anchors are what a link to this page may have behind its #.
	Anchors map[string]bool
	// Spans are the texts in `backticks`.
	Spans []string
	// Blocks are the fenced blocks of code, in their order.
	Blocks []Block
}

// Block is a fenced block of code.
type Block struct {
	// Language is the word behind the fence.
	Language string
	// Mark is the text of an HTML comment right above the block, which readers do not see: `run: e2e`, or `not run: why`.
	Mark string
	// Text is what stands between the fences.
	Text string
	// Line is where it begins in the page, counted from 1.
	Line int
}

// Read returns all pages of a repository. It leaves out what is built or downloaded.
func Read(root string) ([]Page, error) {
	var all []Page
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "bin" || d.Name() == ".git"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, Parse(filepath.ToSlash(relative), source))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	return all, nil
}

// Parse reads one page, as GitHub does.
func Parse(path string, source []byte) Page {
	p := Page{Path: path, Anchors: map[string]bool{}}
	document := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function below returns no error
		if entering {
			p.take(n, source)
		}
		return ast.WalkContinue, nil
	})
	return p
}

func (p *Page) take(n ast.Node, source []byte) {
	switch n := n.(type) {
	case *ast.Link:
		p.Links = append(p.Links, string(n.Destination))
	case *ast.Image:
		p.Links = append(p.Links, string(n.Destination))
	case *ast.Heading:
		p.anchor(content(n, source))
	case *ast.CodeSpan:
		p.Spans = append(p.Spans, content(n, source))
	case *ast.FencedCodeBlock:
		p.Blocks = append(p.Blocks, block(n, source))
	}
}

func block(n *ast.FencedCodeBlock, source []byte) Block {
	b := Block{Language: string(n.Language(source)), Text: string(n.Lines().Value(source))}
	if n.Lines().Len() > 0 {
		b.Line = bytes.Count(source[:n.Lines().At(0).Start], []byte("\n"))
	}
	if comment, ok := n.PreviousSibling().(*ast.HTMLBlock); ok {
		mark := string(comment.Lines().Value(source))
		if comment.HasClosure() {
			mark += string(comment.ClosureLine.Value(source))
		}
		mark = strings.TrimSpace(mark)
		mark, opened := strings.CutPrefix(mark, "<!--")
		mark, closed := strings.CutSuffix(mark, "-->")
		if opened && closed {
			b.Mark = strings.TrimSpace(mark)
		}
	}
	return b
}

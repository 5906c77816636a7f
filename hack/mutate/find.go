package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a check that can be taken out: what stands from one byte of a file to another.
type mutant struct {
	file, function, check string
	line, from, to        int
	copies                int    // of this check, before this one in the function
	before                string // goes before the check, with the number of the mutant in the place of %d
}

// name tells mutants apart, and stays the same when lines move.
func (m mutant) name() string {
	return fmt.Sprintf("%s: %s: %s #%d", filepath.Base(m.file), m.function, m.check, m.copies+1)
}

// find returns all mutants of a package.
func find(directory string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		f := &finder{file: file, text: text, set: token.NewFileSet()}
		tree, err := parser.ParseFile(f.set, file, text, 0)
		if err != nil {
			return nil, err
		}
		for _, declaration := range tree.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Body != nil {
				f.function = function.Name.Name
				ast.Inspect(function.Body, f.visit)
			}
		}
		all = append(all, f.found...)
	}
	return all, nil
}

// finder goes through one file.
type finder struct {
	file, function string
	text           []byte
	set            *token.FileSet
	found          []mutant
}

func (f *finder) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.IfStmt:
		if refuses(n.Body.List) {
			f.each(n.Cond, token.LOR, "(!mutantIs(%d) && (")
		}
	case *ast.CaseClause:
		if refuses(n.Body) {
			f.conditions(n)
		}
	case *ast.ReturnStmt:
		for _, result := range n.Results {
			if _, ok := result.(*ast.BinaryExpr); ok {
				f.each(result, token.LAND, "(mutantIs(%d) || (")
			}
		}
	case *ast.RangeStmt:
		if list, ok := n.X.(*ast.CompositeLit); ok {
			f.names(list)
		}
	}
	return true
}

// conditions takes out those of a case, if its switch has no value to compare with.
func (f *finder) conditions(clause *ast.CaseClause) {
	for _, condition := range clause.List {
		if _, ok := condition.(*ast.BinaryExpr); ok {
			f.each(condition, token.LOR, "(!mutantIs(%d) && (")
		}
	}
}

// names takes texts out of a list.
func (f *finder) names(list *ast.CompositeLit) {
	for _, element := range list.Elts {
		if name, ok := element.(*ast.BasicLit); ok && name.Kind == token.STRING {
			f.add(name, "(mutantText(%d, ")
		}
	}
}

// refuses reports whether statements end in a return of an error or of false.
func refuses(statements []ast.Stmt) bool {
	if len(statements) == 0 {
		return false
	}
	last, ok := statements[len(statements)-1].(*ast.ReturnStmt)
	if !ok || len(last.Results) == 0 {
		return false
	}
	name, isName := last.Results[len(last.Results)-1].(*ast.Ident)
	return !isName || name.Name != "nil" && name.Name != "true"
}

// each takes out the operands of an expression one by one.
func (f *finder) each(expression ast.Expr, operator token.Token, before string) {
	if parenthesized, ok := expression.(*ast.ParenExpr); ok {
		f.each(parenthesized.X, operator, before)
		return
	}
	binary, ok := expression.(*ast.BinaryExpr)
	switch {
	case ok && binary.Op == operator:
		f.each(binary.X, operator, before)
		f.each(binary.Y, operator, before)
	case ok && slices.Contains([]token.Token{token.ADD, token.SUB, token.MUL, token.QUO, token.REM, token.AND, token.OR, token.SHL, token.SHR}, binary.Op):
		// a number or a text
	default:
		f.add(expression, before)
	}
}

// add adds a mutant of a node.
func (f *finder) add(node ast.Node, before string) {
	from, to := f.set.Position(node.Pos()), f.set.Position(node.End())
	m := mutant{
		file: f.file, function: f.function, check: strings.Join(strings.Fields(string(f.text[from.Offset:to.Offset])), " "),
		line: from.Line, from: from.Offset, to: to.Offset, before: before,
	}
	for _, other := range f.found {
		if other.function == m.function && other.check == m.check {
			m.copies++
		}
	}
	f.found = append(f.found, m)
}

// read returns the reasons in a list of survivors: a name, then a tab and the reason.
func read(file string) (map[string]string, error) {
	list, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = list.Close() }()
	known := map[string]string{}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		if name, reason, found := strings.Cut(lines.Text(), "\t"); found {
			known[name] = reason
		}
	}
	return known, nil
}

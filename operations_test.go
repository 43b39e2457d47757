package main_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
)

// operations finds every operation that a record of the audit log can have: what is said to be
// begun or noted, what histories have as steps, and what faults say was refused.
func operations(t *testing.T) (list []string, words map[string]bool) {
	t.Helper()
	words = map[string]bool{} // that audit has an activity for

	// takes holds which parameter of a function, by directory and name, is an operation.
	takes := map[string]int{}
	var files []goFile
	for _, file := range goFiles(t, parser.SkipObjectResolution) {
		if file.isTest || !strings.HasPrefix(file.dir, "internal/") || slices.Contains(serveTests, file.dir) {
			continue
		}
		files = append(files, file)
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			if f, ok := n.(*ast.FuncDecl); ok {
				at := 0
				for _, field := range f.Type.Params.List {
					for _, name := range field.Names {
						if name.Name == "op" || name.Name == "what" && file.dir == "internal/lifecycle" {
							takes[file.dir+" "+f.Name.Name] = at
						}
						at++
					}
				}
			}
			return true
		})
	}
	found := map[string]bool{}
	add := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && text.Kind == token.STRING {
			if s, err := strconv.Unquote(text.Value); err == nil && s != "" {
				found[s] = true
			}
		}
	}
	for _, file := range files {
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if name, ok := n.Key.(*ast.Ident); ok && (name.Name == "Op" || name.Name == "Operation") {
					add(n.Value)
				}
			case *ast.AssignStmt:
				for i, to := range n.Lhs {
					if to, ok := to.(*ast.SelectorExpr); ok && to.Sel.Name == "Operation" && i < len(n.Rhs) {
						add(n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				name := ""
				switch f := n.Fun.(type) {
				case *ast.Ident:
					name = f.Name
				case *ast.SelectorExpr:
					name = f.Sel.Name
				}
				if at, ok := takes[file.dir+" "+name]; ok && at < len(n.Args) {
					add(n.Args[at])
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i >= len(n.Values) {
						break
					}
					if table, ok := n.Values[i].(*ast.CompositeLit); ok && file.dir == "internal/audit" && name.Name == "activities" {
						for _, row := range table.Elts {
							if key, err := strconv.Unquote(row.(*ast.KeyValueExpr).Key.(*ast.BasicLit).Value); err == nil {
								words[key] = true
							}
						}
					}
					if file.dir == "internal/history" || file.dir == "internal/audit" && strings.HasPrefix(name.Name, "op") {
						add(n.Values[i])
					}
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(found)), words
}

// TestActivities keeps testdata/activities.txt complete: every operation that a record of the
// audit log can have, or that can be refused, and what OCSF calls it. UPDATE=1 writes it.
func TestActivities(t *testing.T) {
	const file = "testdata/activities.txt"
	names := map[audit.Activity]string{
		audit.ActivityCreate: "Create", audit.ActivityRead: "Read", audit.ActivityUpdate: "Update", audit.ActivityDelete: "Delete", audit.ActivityOther: "Other",
	}
	list, words := operations(t)
	if len(list) < 100 || len(words) < 50 {
		t.Fatalf("read are only %d operations and %d words", len(list), len(words))
	}
	var b strings.Builder
	for _, operation := range list {
		activity, known := audit.ActivityOf(operation)
		if !known {
			t.Errorf("nothing says what OCSF calls %q: add its first word in internal/audit/activity.go", operation)
		}
		fmt.Fprintf(&b, "%-6s %s\n", names[activity], operation)
		verb, _, _ := strings.Cut(operation, " ")
		delete(words, verb)
	}
	for word := range words {
		t.Errorf("no operation begins with %q: take it out of internal/audit/activity.go", word)
	}
	golden(t, file, b.String())
}

package main

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// target is a fuzz target: a function in a directory of the module.
type target struct{ dir, name string }

func (t target) String() string { return t.dir + " " + t.name }

// find lists the targets of the module at root. It reads the sources, whatever their
// build constraints: one that is left out of the build is to be noticed.
func find(root string) ([]target, error) {
	var targets []target
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if path != root && isForeign(path, entry.Name()) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok && isTarget(f) {
				targets = append(targets, target{filepath.ToSlash(dir), f.Name.Name})
			}
		}
		return nil
	})
	slices.SortFunc(targets, func(a, b target) int { return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.name, b.name)) })
	return targets, err
}

// isForeign reports whether a directory is none of the module's packages.
func isForeign(path, name string) bool {
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err == nil || name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// isTarget reports whether a function is what go takes for a fuzz target by its name.
func isTarget(f *ast.FuncDecl) bool {
	rest, ok := strings.CutPrefix(f.Name.Name, "Fuzz")
	next, _ := utf8.DecodeRuneInString(rest)
	return ok && f.Recv == nil && !unicode.IsLower(next)
}

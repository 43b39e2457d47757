package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/keystead/terraform-provider-hsm"

// rule says what a package may import apart from the standard library.
type rule struct {
	internal []string // directories below internal/
	foreign  []string // import paths, with everything below them
	anywhere bool     // may import every internal package
	pure     bool     // its tests keep to the rule as well
}

var (
	// framework is what only the provider's package is written with.
	framework = []string{
		"github.com/hashicorp/terraform-plugin-framework",
		"github.com/hashicorp/terraform-plugin-framework-timetypes",
		"github.com/hashicorp/terraform-plugin-framework-validators",
		"github.com/hashicorp/terraform-plugin-go",
		"github.com/hashicorp/terraform-plugin-log",
	}
	// serving is what it takes to hand a provider on, and to serve it.
	serving = []string{
		"github.com/hashicorp/terraform-plugin-framework/provider",
		"github.com/hashicorp/terraform-plugin-framework/providerserver",
		"github.com/hashicorp/terraform-plugin-go/tfprotov6",
	}
	// driving is what acceptance and protocol-level tests are written with.
	driving = append([]string{"github.com/hashicorp/terraform-plugin-testing"}, framework...)
)

// rules holds every package. Each import that it allows points down, so data
// flows one way: the domain knows neither Terraform nor PKCS#11. Change it
// together with the design, and say why.
var rules = map[string]rule{
	"internal/fault":       {pure: true},
	"internal/secret":      {pure: true},
	"internal/config":      {internal: []string{"fault", "secret"}, pure: true},
	"internal/history":     {pure: true},
	"internal/keyring":     {internal: []string{"fault", "history"}, pure: true},
	"internal/rotation":    {internal: []string{"fault", "keyring"}, pure: true},
	"internal/certrequest": {internal: []string{"fault", "keyring"}, pure: true},
	"internal/webtoken":    {internal: []string{"fault", "keyring"}, pure: true},
	"internal/notation":    {internal: []string{"fault", "keyring"}, foreign: []string{"golang.org/x/crypto"}, pure: true},

	"internal/audit": {internal: []string{"fault"}, foreign: []string{"golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog"}, pure: true},
	// What goes to others speaks to the network; the log itself does not.
	"internal/audit/mirror": {internal: []string{"audit", "fault"}},

	"internal/catalog":     {internal: []string{"fault"}, pure: true},
	"internal/environment": {internal: []string{"fault"}, pure: true},

	"internal/lifecycle":               {internal: []string{"fault", "history", "keyring", "rotation", "catalog", "environment"}},
	"internal/lifecycle/lifecycletest": {internal: []string{"fault", "keyring", "catalog/catalogtest", "environment", "lifecycle"}},

	"internal/credential": {
		internal: []string{"fault", "secret", "history", "keyring", "catalog", "environment"},
		foreign:  []string{"filippo.io/age", "filippo.io/edwards25519", "golang.org/x/crypto/ssh", "github.com/decred/dcrd/dcrec/secp256k1/v4"},
	},
	"internal/policy": {
		internal: []string{"fault", "history", "keyring", "catalog", "environment"}, foreign: []string{"github.com/cedar-policy/cedar-go"},
	},

	"internal/cryptoki": {internal: []string{"fault"}, foreign: []string{"github.com/miekg/pkcs11", "golang.org/x/sync"}},
	"internal/hsm":      {internal: []string{"fault", "keyring", "cryptoki", "lifecycle"}},
	// The log's format is in audit, what is written down of a record here.
	"internal/catalog/audited":     {internal: []string{"fault", "audit", "catalog", "environment", "history"}},
	"internal/catalog/token":       {internal: []string{"fault", "catalog", "environment", "cryptoki"}},
	"internal/catalog/catalogtest": {internal: []string{"fault", "history", "keyring", "credential", "policy", "catalog", "environment"}},

	"internal/provider": {internal: []string{"fault", "secret", "audit", "config", "history", "keyring", "notation", "webtoken", "certrequest", "rotation", "lifecycle", "credential", "policy"}, foreign: framework},
	"internal/command":  {internal: []string{"fault", "audit", "config", "history", "keyring"}}, // a face like provider, for operators
	"internal/assembly": {anywhere: true, foreign: serving},
	".":                 {internal: []string{"assembly"}, foreign: serving},

	"internal/acceptance":  {},
	"internal/torture":     {},
	"internal/performance": {},
	"internal/softhsm":     {},
	"internal/interposer":  {},
	"internal/inventory":   {foreign: []string{"github.com/miekg/pkcs11"}}, // not through cryptoki, which it checks
	"internal/tokens":      {internal: []string{"keyring", "softhsm"}},

	"tools/schema":     {internal: []string{"assembly"}, foreign: append([]string{"github.com/hashicorp/terraform-plugin-go/tftypes"}, serving...)},
	"tools/fuzz":       {},
	"tools/links":      {},
	"tools/testreport": {},
	"tools/tokentable": {internal: []string{"keyring"}},
}

// testOnly holds the packages that serve tests, with those that may import them
// nevertheless because they serve tests too.
var testOnly = map[string][]string{
	"internal/interposer":              nil,
	"internal/inventory":               nil,
	"internal/softhsm":                 {"internal/tokens"},
	"internal/tokens":                  {"tools/tokentable"},
	"internal/catalog/catalogtest":     {"internal/lifecycle/lifecycletest"},
	"internal/lifecycle/lifecycletest": nil,
}

// inTests holds what a package's tests may import in addition. Apart from the
// pure ones they may also use every internal package.
var inTests = map[string][]string{
	".":                 driving,
	"internal/provider": append([]string{"filippo.io/age"}, driving...), // to open what was sealed
	"internal/notation": {"github.com/decred/dcrd/dcrec/secp256k1/v4"},  // to read points that were published
	"internal/assembly": driving,
	"internal/acceptance": append([]string{
		"github.com/hashicorp/go-hclog", "github.com/hashicorp/go-plugin", // to be attached to by the CLI
		"filippo.io/age",                                             // to open what was sealed
		"golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog", // to forge proofs
	}, driving...),
	"tools/schema": framework,
}

// cgo is where C may be called.
var cgo = []string{"internal/cryptoki"}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, file := range goFiles(t, parser.ImportsOnly) {
		seen[file.dir] = true
		for _, spec := range file.syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if problem := check(file.dir, path, file.isTest); problem != "" {
				t.Errorf("%s imports %s: %s", file.path, path, problem)
			}
		}
	}
	for dir := range seen {
		if _, ok := rules[dir]; !ok {
			t.Errorf("%s has no rule: say in imports_test.go what it may import", dir)
		}
	}
}

// check says what is wrong with an import, or nothing.
func check(dir, path string, isTest bool) string {
	r := rules[dir]
	if path == "C" {
		return unless(slices.Contains(cgo, dir), "cgo is for "+strings.Join(cgo, ", ")+" only")
	}
	inner, isOurs := strings.CutPrefix(path, module+"/")
	if path == module || isOurs {
		return unless(mayUse(dir, r, inner, isTest), "this package may not use that one")
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	return unless(below(path, r.foreign) || isTest && below(path, inTests[dir]), "this package may not use that module")
}

func mayUse(dir string, r rule, inner string, isTest bool) bool {
	if users, ok := testOnly[inner]; ok {
		return isTest && !r.pure || slices.Contains(users, dir)
	}
	name, isInternal := strings.CutPrefix(inner, "internal/")
	switch {
	case isTest && inner == dir:
		return true
	case !isInternal:
		return false
	case r.anywhere, slices.Contains(r.internal, name):
		return true
	default:
		return isTest && !r.pure
	}
}

func below(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

func unless(fine bool, problem string) string {
	if fine {
		return ""
	}
	return problem
}

// clocks holds the packages that may ask for the time, with the reason.
var clocks = map[string]string{
	"internal/assembly": "hands the clock to everything else",
	"internal/cryptoki": "measures how long calls into the module take, for the log",
}

// TestClock finds what would make a clock that tests move a lie.
func TestClock(t *testing.T) {
	for _, file := range goFiles(t, parser.SkipObjectResolution) {
		if file.isTest || clocks[file.dir] != "" {
			continue
		}
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, selector.Sel.Name) {
				t.Errorf("%s: time.%s: the clock comes from internal/assembly, as a field", file.fset.Position(n.Pos()), selector.Sel.Name)
			}
			return true
		})
	}
}

type goFile struct {
	path, dir string // slash-separated, from the root
	isTest    bool
	fset      *token.FileSet
	syntax    *ast.File
}

// goFiles parses every Go file of this module, whatever its build constraints. It
// reads the files themselves: the test cache notices that, and would not notice a
// changed answer of `go list`.
func goFiles(t *testing.T, mode parser.Mode) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || isModule(path)) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		fset := token.NewFileSet()
		syntax, err := parser.ParseFile(fset, path, nil, mode)
		if err != nil {
			return err
		}
		files = append(files, goFile{
			path: filepath.ToSlash(path), dir: filepath.ToSlash(filepath.Dir(path)),
			isTest: strings.HasSuffix(path, "_test.go"), fset: fset, syntax: syntax,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d Go files were found: this test looks in the wrong place", len(files))
	}
	return files
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

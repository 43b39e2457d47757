package main_test

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// message is an error or a warning that a user can get, as the source words it: what is
// known only when it happens stands in braces.
type message struct {
	where            string // file and function
	kind             string // of fault, or what adds a diagnostic
	summary, problem string
	remedy           string
	hasCause         bool // which has its own problem and remedy
}

// source is what the messages of all packages are read from.
type source struct {
	t     *testing.T
	files []goFile
	// By directory and name.
	functions map[string][]function
	strings   map[string]ast.Expr // constants and variables of a package
	messages  map[message]bool
	// What is being put into words: a function that calls itself is not gone into again.
	entered map[*ast.BlockStmt]bool
}

// function is something that has parameters and a body.
type function struct {
	file   goFile
	name   string
	typ    *ast.FuncType
	body   *ast.BlockStmt
	within *function
}

// readMessages finds every literal of a fault or finding, each line of the tables of return
// values, and each diagnostic that is added. Where the words are a parameter they are
// read from the calls.
func readMessages(t *testing.T) []message {
	s := &source{t: t, functions: map[string][]function{}, strings: map[string]ast.Expr{}, messages: map[message]bool{}, entered: map[*ast.BlockStmt]bool{}}
	for _, file := range goFiles(t, parser.SkipObjectResolution) {
		if !file.isTest && strings.HasPrefix(file.dir, "internal/") && !slices.Contains(serveTests, file.dir) {
			s.files = append(s.files, file)
			s.declare(file)
		}
	}
	for _, file := range s.files {
		s.visit(file)
	}
	return slices.SortedFunc(maps.Keys(s.messages), func(a, b message) int {
		return cmp.Or(cmp.Compare(a.where, b.where), cmp.Compare(a.summary, b.summary), cmp.Compare(a.problem, b.problem), cmp.Compare(a.remedy, b.remedy),
			cmp.Compare(a.kind, b.kind), cmp.Compare(fmt.Sprint(a.hasCause), fmt.Sprint(b.hasCause)))
	})
}

func (s *source) declare(file goFile) {
	for _, decl := range file.syntax.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				s.declareFunction(function{file: file, name: d.Name.Name, typ: d.Type, body: d.Body})
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for i, value := range v.Values {
						s.strings[file.dir+"."+v.Names[i].Name] = value
					}
				}
			}
		}
	}
}

// declareFunction also takes in the closures in it that have a name.
func (s *source) declareFunction(f function) {
	key := f.file.dir + "." + f.name
	s.functions[key] = append(s.functions[key], f)
	ast.Inspect(f.body, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != 1 || len(assign.Rhs) != 1 {
			return true
		}
		name, isName := assign.Lhs[0].(*ast.Ident)
		literal, isFunction := assign.Rhs[0].(*ast.FuncLit)
		if isName && isFunction {
			s.declareFunction(function{file: f.file, name: name.Name, typ: literal.Type, body: literal.Body, within: &f})
			return false
		}
		return true
	})
}

func (s *source) visit(file goFile) {
	for _, decl := range file.syntax.Decls {
		if d, ok := decl.(*ast.GenDecl); ok {
			s.visitNode(file, d, nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		for _, f := range s.functions[name] {
			if f.file.path == file.path {
				s.visitNode(file, f.body, &f)
			}
		}
	}
}

// visitNode looks for what makes a message; closures with a name are visited as functions.
func (s *source) visitNode(file goFile, node ast.Node, f *function) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Rhs) == 1 && f != nil {
				if _, ok := n.Rhs[0].(*ast.FuncLit); ok {
					if _, isName := n.Lhs[0].(*ast.Ident); isName {
						return false
					}
				}
			}
		case *ast.CompositeLit:
			s.literal(file, n, f)
		case *ast.CallExpr:
			s.added(file, n, f)
		}
		return true
	})
}

// literal reads fault.Error{…}, Finding{…}, meaning{…} and, in the table of return values, {…}.
func (s *source) literal(file goFile, n *ast.CompositeLit, f *function) {
	if file.dir == "internal/cryptoki" && len(n.Elts) == 4 && (n.Type == nil || s.text(n.Type) == "meaning") {
		if name, ok := n.Elts[0].(*ast.BasicLit); ok {
			s.say(f, file, words{kind: s.text(n.Elts[1]), summary: name, problem: n.Elts[2], remedy: n.Elts[3]})
		}
		return
	}
	s.table(file, n, f)
	if n.Type != nil && s.text(n.Type) == "Profile" {
		for _, element := range n.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok && s.text(pair.Key) == "Cautions" {
				for _, caution := range pair.Value.(*ast.CompositeLit).Elts {
					s.say(f, file, words{kind: "warning", problem: caution})
				}
			}
		}
		return
	}
	if n.Type == nil || !slices.Contains([]string{"fault.Error", "Finding", "policy.Finding"}, s.text(n.Type)) {
		return
	}
	w := words{kind: s.text(n.Type)}
	for _, element := range n.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		switch s.text(pair.Key) {
		case "Kind":
			w.kind = s.text(pair.Value)
		case "Op", "Title":
			w.summary = pair.Value
		case "Problem":
			w.problem = pair.Value
		case "Hint":
			w.remedy = pair.Value
		case "Cause":
			w.hasCause = true
		}
	}
	s.say(f, file, w)
}

var adding = []string{"AddError", "AddWarning", "AddAttributeError", "AddAttributeWarning"}

// added reads diagnostics that are added without a fault.
func (s *source) added(file goFile, n *ast.CallExpr, f *function) {
	if name := s.text(n.Fun); name == "warn" || strings.HasSuffix(name, ".warn") {
		s.warned(file, n, f)
		return
	}
	method, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains(adding, method.Sel.Name) || len(n.Args) < 2 {
		return
	}
	s.say(f, file, words{kind: method.Sel.Name, summary: n.Args[len(n.Args)-2], problem: n.Args[len(n.Args)-1]})
}

// warned reads what is noticed about a token: what an operator's command prints, or what is
// shown at the end of whatever noticed it, as one text or by a closure that formats.
func (s *source) warned(file goFile, n *ast.CallExpr, f *function) {
	w := words{kind: "warning", problem: n.Args[len(n.Args)-1]}
	switch _, isClosure := n.Fun.(*ast.Ident); {
	case file.dir == "internal/command":
		w.problem, w.remedy = n.Args[0], n.Args[1]
	case isClosure:
		w.problem = &ast.CallExpr{Fun: &ast.SelectorExpr{X: ast.NewIdent("fmt"), Sel: ast.NewIdent("Sprintf")}, Args: n.Args}
	}
	s.say(f, file, w)
}

// table reads the lines of a table that has columns for problem and hint.
func (s *source) table(file goFile, n *ast.CompositeLit, f *function) {
	array, ok := n.Type.(*ast.ArrayType)
	if !ok {
		return
	}
	line, ok := array.Elt.(*ast.StructType)
	if !ok {
		return
	}
	var columns []string
	for _, field := range line.Fields.List {
		for _, name := range field.Names {
			columns = append(columns, name.Name)
		}
	}
	problem, hint := slices.Index(columns, "problem"), slices.Index(columns, "hint")
	for _, element := range n.Elts {
		if values, ok := element.(*ast.CompositeLit); ok && problem >= 0 && hint >= 0 && len(values.Elts) == len(columns) {
			s.say(f, file, words{kind: "table", problem: values.Elts[problem], remedy: values.Elts[hint]})
		}
	}
}

// words are the expressions that a message is made of.
type words struct {
	kind                     string
	summary, problem, remedy ast.Expr
	hasCause                 bool
}

// say notes a message, once for each call that gives it its words.
func (s *source) say(f *function, file goFile, w words) {
	calls := []env{{}}
	where := file.path
	if f != nil {
		where += " " + f.name
		if s.isParameter(f, w.problem) || s.isParameter(f, w.remedy) {
			if found := s.calls(f, 0); len(found) > 0 {
				calls = found
			}
		}
	}
	for _, call := range calls {
		m := message{where: where, kind: w.kind, hasCause: w.hasCause}
		m.summary, m.problem, m.remedy = s.render(w.summary, f, file, call), s.render(w.problem, f, file, call), s.render(w.remedy, f, file, call)
		if call.where != "" {
			m.where = call.where
		}
		if w.remedy == nil && slices.Contains(adding, w.kind) { // a detail has both
			m.problem, m.remedy, _ = strings.Cut(m.problem, "\n\n")
		}
		s.messages[m] = true
	}
}

// env is what the parameters of a function are in one call.
type env struct {
	where  string
	values map[string]string
}

func (s *source) isParameter(f *function, expr ast.Expr) bool {
	found := false
	if expr != nil {
		ast.Inspect(expr, func(n ast.Node) bool {
			name, ok := n.(*ast.Ident)
			found = found || ok && slices.Contains(wording, name.Name) && slices.Contains(parameters(f.typ), name.Name)
			return !found
		})
	}
	return found
}

// wording are the names of parameters that hold what a message says.
var wording = []string{"problem", "hint", "detail", "summary", "title", "cause", "why", "what", "consequence"}

func parameters(typ *ast.FuncType) []string {
	var names []string
	for _, field := range typ.Params.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}

// calls finds the calls of a function, and what its parameters are there.
func (s *source) calls(f *function, depth int) []env {
	var found []env
	if depth > 3 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		for _, caller := range s.functions[name] {
			ast.Inspect(caller.body, func(n ast.Node) bool {
				if literal, ok := n.(*ast.FuncLit); ok && s.isNamed(&caller, literal) {
					return false
				}
				call, ok := n.(*ast.CallExpr)
				if !ok || !s.isCallOf(f, &caller, call) {
					return true
				}
				contexts := []env{{}}
				for _, arg := range call.Args {
					if s.isParameter(&caller, arg) {
						if outer := s.calls(&caller, depth+1); len(outer) > 0 {
							contexts = outer
						}
					}
				}
				for _, context := range contexts {
					e := env{where: cmp.Or(context.where, caller.file.path+" "+caller.name), values: map[string]string{}}
					for i, parameter := range parameters(f.typ) {
						if i < len(call.Args) {
							e.values[parameter] = s.render(call.Args[i], &caller, caller.file, context)
						}
					}
					found = append(found, e)
				}
				return true
			})
		}
	}
	return found
}

func (s *source) isNamed(f *function, literal *ast.FuncLit) bool {
	for _, each := range s.functions {
		for _, g := range each {
			if g.within != nil && g.body == literal.Body {
				return g.body != f.body
			}
		}
	}
	return false
}

func (s *source) isCallOf(f, caller *function, call *ast.CallExpr) bool {
	if len(call.Args) < len(parameters(f.typ)) {
		return false
	}
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name == f.name && caller.file.dir == f.file.dir && (f.within == nil || caller.body == f.within.body)
	case *ast.SelectorExpr:
		if caller.file.dir == f.file.dir {
			return fun.Sel.Name == f.name
		}
		return fun.Sel.Name == f.name && s.text(fun.X) == path.Base(f.file.dir)
	}
	return false
}

var verb = regexp.MustCompile(`%(\[\d+\])?[+#]?[a-z%]`)

// render puts an expression into words: what it says, and in braces what it depends on.
func (s *source) render(expr ast.Expr, f *function, file goFile, e env) string {
	switch x := expr.(type) {
	case nil:
		return ""
	case *ast.BasicLit:
		if text, err := strconv.Unquote(x.Value); err == nil && x.Kind == token.STRING {
			return text
		}
	case *ast.ParenExpr:
		return s.render(x.X, f, file, e)
	case *ast.BinaryExpr:
		if x.Op == token.ADD {
			return s.render(x.X, f, file, e) + s.render(x.Y, f, file, e)
		}
	case *ast.CallExpr:
		if s.text(x.Fun) == "fmt.Sprintf" {
			return s.sprintf(x, f, file, e)
		}
		if text := s.called(x, f, file, e); text != "" {
			return text
		}
	case *ast.Ident:
		return s.identifier(x, f, file, e)
	}
	return "{" + s.text(expr) + "}"
}

func (s *source) identifier(x *ast.Ident, f *function, file goFile, e env) string {
	if value, ok := e.values[x.Name]; ok {
		return value
	}
	if f != nil && slices.Contains(parameters(f.typ), x.Name) {
		return "{" + x.Name + "}"
	}
	if f != nil {
		if said := s.assigned(x.Name, f, file, e); len(said) > 0 {
			return alternatives(said)
		}
	}
	if value, ok := s.strings[file.dir+"."+x.Name]; ok {
		return s.render(value, nil, file, env{})
	}
	return "{" + x.Name + "}"
}

// called puts a function of this package into words that does nothing but put together a
// text.
func (s *source) called(x *ast.CallExpr, f *function, file goFile, e env) string {
	name, ok := x.Fun.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, g := range s.functions[file.dir+"."+name.Name] {
		if s.entered[g.body] || len(g.body.List) != 1 || g.typ.Results == nil || len(g.typ.Results.List) != 1 || s.text(g.typ.Results.List[0].Type) != "string" {
			continue
		}
		if r, ok := g.body.List[0].(*ast.ReturnStmt); ok && len(r.Results) == 1 {
			inner := env{values: map[string]string{}}
			for i, parameter := range parameters(g.typ) {
				if i < len(x.Args) {
					inner.values[parameter] = s.render(x.Args[i], f, file, e)
				}
			}
			s.entered[g.body] = true
			defer delete(s.entered, g.body)
			return s.render(r.Results[0], &g, g.file, inner)
		}
	}
	return ""
}

// assigned lists what a local variable can be.
func (s *source) assigned(name string, f *function, file goFile, e env) []string {
	var said []string
	ast.Inspect(f.body, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, left := range assign.Lhs {
			if s.text(left) != name {
				continue
			}
			switch {
			case assign.Tok == token.ADD_ASSIGN:
				said = append(said, "… "+s.render(assign.Rhs[0], nil, file, e))
			case len(assign.Rhs) == len(assign.Lhs):
				said = append(said, s.render(assign.Rhs[i], nil, file, e))
			default:
				said = append(said, s.returned(assign.Rhs[0], i, file)...)
			}
		}
		return true
	})
	return slices.DeleteFunc(said, func(text string) bool { return text == "" })
}

// returned lists what a function of this package returns in one place.
func (s *source) returned(expr ast.Expr, i int, file goFile) []string {
	call, ok := expr.(*ast.CallExpr)
	if !ok {
		return nil
	}
	name := s.text(call.Fun)
	name = name[strings.LastIndex(name, ".")+1:]
	var said []string
	for _, f := range s.functions[file.dir+"."+name] {
		if s.entered[f.body] {
			continue
		}
		s.entered[f.body] = true
		defer delete(s.entered, f.body)
		ast.Inspect(f.body, func(n ast.Node) bool {
			if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) > i {
				said = append(said, s.render(r.Results[i], &f, file, env{}))
			}
			return true
		})
	}
	return said
}

func (s *source) sprintf(x *ast.CallExpr, f *function, file goFile, e env) string {
	format, args, next := s.render(x.Args[0], f, file, e), x.Args[1:], 0
	return verb.ReplaceAllStringFunc(format, func(found string) string {
		if found == "%%" {
			return "%"
		}
		if digits := strings.Trim(verb.FindStringSubmatch(found)[1], "[]"); digits != "" {
			n, err := strconv.Atoi(digits)
			if err != nil {
				s.t.Fatal(err)
			}
			next = n - 1
		}
		if next >= len(args) {
			return found
		}
		next++
		return s.render(args[next-1], f, file, e)
	})
}

// text is an expression as it is written.
func (s *source) text(expr ast.Expr) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), expr); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func alternatives(said []string) string {
	if said = slices.Compact(said); len(said) == 1 {
		return said[0]
	}
	return "(" + strings.Join(said, " | ") + ")"
}

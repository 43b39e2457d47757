package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// This file is the only one that knows what is below cedar-go's x/exp, which promises no
// stable API: the syntax tree, the validator, and evaluation with some things unknown.

// clause is one policy of Cedar, with what its syntax tells.
type clause struct {
	cedar *cedar.Policy
	id    string // as annotated; may be empty
	line  int

	reads       variables // by its conditions, those apart that only stand for its scope
	conditional bool      // it has such conditions
	readsTime   bool
	zones       []string // whose clocks it reads, sorted
	mayFail     bool     // validated, it may still come to an error
	mentions    []entity // wherever they are
}

// variables is a set of the variables of Cedar.
type variables uint8

const (
	readsPrincipal variables = 1 << iota
	readsAction
	readsResource
	readsContext
)

var variableBits = map[types.String]variables{
	"principal": readsPrincipal, "action": readsAction, "resource": readsResource, "context": readsContext,
}

// misread is a text that is not Cedar.
type misread struct {
	line, column int // 0 if unknown
	problem      string
}

func (m *misread) Error() string {
	if m.line == 0 {
		return m.problem
	}
	return fmt.Sprintf("near line %d, column %d: %s", m.line, m.column, m.problem)
}

var (
	positionPattern = regexp.MustCompile(`<input>:(\d+):(\d+)(?: "(?:[^"\\]|\\.)*")?: (.*)$`)
	expectedPattern = regexp.MustCompile(`^exact got (.*) want (.*)$`)
)

// parse reads Cedar. The first scopes conditions of each policy are not counted among
// its conditions.
func parse(text string, scopes int) ([]*clause, error) {
	policies, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		return nil, newMisread(err)
	}
	clauses := make([]*clause, len(policies))
	for i, p := range policies {
		clauses[i] = newClause(p, scopes)
	}
	return clauses, nil
}

func newMisread(err error) *misread {
	parts := positionPattern.FindStringSubmatch(err.Error())
	if parts == nil {
		return &misread{problem: err.Error()}
	}
	line, _ := strconv.Atoi(parts[1]) // the pattern has made sure of digits
	column, _ := strconv.Atoi(parts[2])
	problem := parts[3]
	if tokens := expectedPattern.FindStringSubmatch(problem); tokens != nil {
		problem = fmt.Sprintf("found %q where %q is expected", tokens[1], tokens[2])
		if tokens[1] == "" {
			problem = fmt.Sprintf("the text ends where %q is expected", tokens[2])
		}
	}
	return &misread{line, column, problem}
}

func newClause(p *cedar.Policy, scopes int) *clause {
	tree := (*ast.Policy)(p.AST())
	c := &clause{
		cedar: p, id: string(p.Annotations()["id"]), line: p.Position().Line, conditional: len(tree.Conditions) > scopes,
	}
	for _, scope := range []ast.IsScopeNode{tree.Principal, tree.Resource} {
		for _, e := range scopeEntities(scope) {
			c.mention(e)
		}
	}
	for i, condition := range tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(n ast.IsNode) bool {
			c.visit(n, i >= scopes)
			return true
		})
	}
	slices.Sort(c.zones)
	c.zones = slices.Compact(c.zones)
	return c
}

func (c *clause) mention(e types.EntityUID) {
	c.mentions = append(c.mentions, entity{entityType(e.Type), string(e.ID)})
}

// visit notes what a node of a condition tells.
func (c *clause) visit(n ast.IsNode, counts bool) {
	if v, ok := n.(ast.NodeValue); ok {
		if e, ok := v.Value.(types.EntityUID); ok {
			c.mention(e)
		}
	}
	if !counts {
		return
	}
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		c.reads |= variableBits[n.Name]
	case ast.NodeTypeAccess:
		c.attribute(n.Arg, n.Value)
		c.mayFail = c.mayFail || !isSure(n.Arg)
	case ast.NodeTypeHas:
		c.attribute(n.Arg, n.Value)
	case ast.NodeTypeGetTag:
		c.mayFail = c.mayFail || !isSure(n.Left)
	case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate:
		c.mayFail = true // numbers may overflow
	case ast.NodeTypeExtensionCall:
		c.mayFail = c.mayFail || slices.Contains([]types.Path{"toDate", "offset", "durationSince"}, n.Name)
	}
}

// attribute notes the use of an attribute of the context, or of its clocks.
func (c *clause) attribute(of ast.IsNode, name types.String) {
	if isVariable(of, "context") && (name == "now" || name == "local") {
		c.readsTime = true
	}
	if local, ok := of.(ast.NodeTypeAccess); ok && isVariable(local.Arg, "context") && local.Value == "local" {
		c.zones = append(c.zones, string(name))
	}
}

func isVariable(n ast.IsNode, name types.String) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == name
}

// isSure reports whether a node has, whatever the request is, the attributes and tags that
// the validator lets be read: it is the caller, the key, or the context or something in
// it. An entity that is named may not be there.
func isSure(n ast.IsNode) bool {
	if access, ok := n.(ast.NodeTypeAccess); ok {
		return isInContext(access)
	}
	return isVariable(n, "principal") || isVariable(n, "resource") || isVariable(n, "context")
}

func isInContext(access ast.NodeTypeAccess) bool {
	if inner, ok := access.Arg.(ast.NodeTypeAccess); ok {
		return isInContext(inner)
	}
	return isVariable(access.Arg, "context")
}

// scopeEntities returns the entities that a scope names.
func scopeEntities(scope ast.IsScopeNode) []types.EntityUID {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeIsIn:
		return []types.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		return s.Entities
	default:
		return nil
	}
}

// scope returns what a policy's scope names; nil is everything. It holds for a policy
// that is valid: what has types at all has the types that requests have.
func (c *clause) scope() (effect Effect, principals, keys []entity, actions []string, isAnyAction bool) {
	tree := (*ast.Policy)(c.cedar.AST())
	effect = Forbid
	if tree.Effect == ast.EffectPermit {
		effect = Permit
	}
	of := func(scope ast.IsScopeNode) []entity {
		var all []entity
		for _, e := range scopeEntities(scope) {
			all = append(all, entity{entityType(e.Type), string(e.ID)})
		}
		return all
	}
	for _, e := range of(tree.Action) {
		actions = append(actions, e.ID)
	}
	_, isAnyAction = tree.Action.(ast.ScopeTypeAll)
	return effect, of(tree.Principal), of(tree.Resource), actions, isAnyAction
}

// validator checks policies against the schema.
type validator struct{ *validate.Validator }

// newValidator returns a validator that knows the clocks of the given time zones.
func newValidator(zones ...string) (validator, error) {
	var s schema.Schema
	if err := s.UnmarshalCedar([]byte(Schema(zones...))); err != nil {
		return validator{}, err
	}
	resolved, err := s.Resolve()
	if err != nil {
		return validator{}, err
	}
	return validator{validate.New(resolved, validate.WithStrict())}, nil
}

// check lists what is wrong with a policy, in the validator's words.
func (v validator) check(c *clause) []string {
	err := v.Policy("", (*ast.Policy)(c.cedar.AST()))
	if err == nil {
		return nil
	}
	problems := []string{err.Error()}
	if several, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		problems = nil
		for _, one := range several.Unwrap() {
			problems = append(problems, one.Error())
		}
	}
	return problems
}

// outcome is a set of what a policy may come to.
type outcome uint8

const (
	holds outcome = 1 << iota
	holdsNot
	fails
)

// unknown is the context of a request of which nothing is known.
func unknown() types.Value { return eval.Variable("context") }

// outcomes tells what a policy whose scope applies may come to in the requests of a
// caller for an action with a key, whatever their context is.
func (c *clause) outcomes(entities types.EntityMap, principal, action, resource types.EntityUID) outcome {
	if !c.conditional {
		return holds
	}
	possible := holds | holdsNot
	if c.reads&readsContext == 0 || c.reads&^readsContext != 0 {
		possible = c.partial(entities, principal, action, resource)
	}
	if c.mayFail && c.reads&readsContext != 0 && possible != fails {
		possible |= fails
	}
	return possible
}

func (c *clause) partial(entities types.EntityMap, principal, action, resource types.EntityUID) outcome {
	env := eval.Env{Entities: entities, Principal: principal, Action: action, Resource: resource, Context: unknown()}
	rest, ok := eval.PartialPolicy(env, (*ast.Policy)(c.cedar.AST()))
	switch {
	case !ok:
		return holdsNot
	case len(rest.Conditions) == 0:
		return holds
	}
	if _, failed := eval.ToPartialError(rest.Conditions[len(rest.Conditions)-1].Body); !failed {
		return holds | holdsNot
	}
	if len(rest.Conditions) > 1 {
		return holdsNot | fails // one before it may not hold
	}
	return fails
}

// quoted is a text as Cedar writes it.
func quoted(s string) string { return string(types.String(s).MarshalCedar()) }

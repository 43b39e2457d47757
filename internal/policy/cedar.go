package policy

import (
	"errors"
	"slices"

	"github.com/cedar-policy/cedar-go"
	stable "github.com/cedar-policy/cedar-go/ast"
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
	// asked is the policy for any action. Which ones it is about its rule tells: in Cedar
	// a permit without any would be about sign_digest too.
	asked *cedar.Policy
	id    string // as annotated; may be empty
	line  int

	parts     []*part   // its own conditions, see parse
	reads     variables // by the parts
	readsTime bool
	zones     []string // whose clocks it reads, sorted
	mentions  []entity // wherever they are
}

// part is one of several conditions that a policy takes. They are evaluated one after the
// other, until one does not hold or fails.
type part struct {
	cedar   *cedar.Policy // permits whatever the condition holds for
	reads   variables
	mayFail bool // validated, it may still come to an error
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

// parse reads Cedar. So many of the first conditions of each policy say what its scope has
// no words for: they are no conditions of its own.
func parse(text string, scopes int) ([]*clause, error) {
	policies, err := cedar.NewPolicyListFromBytes("", []byte(text))
	if err != nil {
		return nil, misread(err)
	}
	clauses := make([]*clause, len(policies))
	for i, p := range policies {
		clauses[i] = newClause(p, scopes)
	}
	return clauses, nil
}

func newClause(p *cedar.Policy, scopes int) *clause {
	tree := (*ast.Policy)(p.AST())
	c := &clause{cedar: p, id: string(p.Annotations()["id"]), line: p.Position().Line}
	anyAction := *tree
	anyAction.Action = ast.ScopeTypeAll{}
	c.asked = fromTree(&anyAction)
	for _, scope := range []ast.IsScopeNode{tree.Principal, tree.Resource} {
		for _, e := range scopeEntities(scope) {
			c.mention(e)
		}
	}
	for i, condition := range tree.Conditions {
		for _, body := range conjuncts(condition) {
			p := &part{cedar: fromTree(ast.Permit().When(ast.NewNode(body)))}
			ast.Inspect(ast.NewNode(body), func(n ast.IsNode) bool {
				c.visit(n)
				p.visit(n)
				return true
			})
			if i >= scopes {
				c.parts = append(c.parts, p)
				c.reads |= p.reads
			}
		}
	}
	slices.Sort(c.zones)
	c.zones = slices.Compact(c.zones)
	return c
}

func fromTree(tree *ast.Policy) *cedar.Policy { return cedar.NewPolicyFromAST((*stable.Policy)(tree)) }

// conjuncts takes a condition apart, in the order of evaluation.
func conjuncts(c ast.ConditionType) []ast.IsNode {
	if c.Condition == ast.ConditionUnless {
		return []ast.IsNode{ast.Not(ast.NewNode(c.Body)).AsIsNode()}
	}
	if and, ok := c.Body.(ast.NodeTypeAnd); ok {
		return slices.Concat(conjuncts(ast.ConditionType{Condition: ast.ConditionWhen, Body: and.Left}),
			conjuncts(ast.ConditionType{Condition: ast.ConditionWhen, Body: and.Right}))
	}
	return []ast.IsNode{c.Body}
}

func (c *clause) mention(e types.EntityUID) {
	c.mentions = append(c.mentions, entity{entityType(e.Type), string(e.ID)})
}

// visit notes what a node of a condition tells.
func (c *clause) visit(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeValue:
		if e, ok := n.Value.(types.EntityUID); ok {
			c.mention(e)
		}
	case ast.NodeTypeAccess:
		c.attribute(n.Arg, n.Value)
	case ast.NodeTypeHas:
		c.attribute(n.Arg, n.Value)
	}
}

func (p *part) visit(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		p.reads |= variableBits[n.Name]
	case ast.NodeTypeAccess:
		p.mayFail = p.mayFail || !isSure(n.Arg)
	case ast.NodeTypeGetTag:
		p.mayFail = p.mayFail || !isSure(n.Left)
	case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate:
		p.mayFail = true // numbers may overflow
	case ast.NodeTypeExtensionCall:
		p.mayFail = p.mayFail || slices.Contains([]types.Path{"toDate", "offset", "durationSince"}, n.Name)
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

// outcomes tells what a condition may come to in the requests of a caller for an action
// with a key, whatever their context is.
func (p *part) outcomes(entities types.EntityMap, principal, action, resource types.EntityUID) outcome {
	switch {
	case p.reads&readsContext == 0:
		return p.evaluate(entities, cedar.Request{Principal: principal, Action: action, Resource: resource})
	case p.mayFail:
		return holds | holdsNot | fails
	case p.reads == readsContext:
		return holds | holdsNot
	}
	env := eval.Env{Entities: entities, Principal: principal, Action: action, Resource: resource, Context: eval.Variable("context")}
	rest, ok := eval.PartialPolicy(env, (*ast.Policy)(p.cedar.AST()))
	switch {
	case !ok:
		return holdsNot
	case len(rest.Conditions) == 0:
		return holds
	default:
		return holds | holdsNot
	}
}

// always tells what a condition comes to in every request, if that can be told without
// one; all that is possible otherwise.
func (p *part) always(entities types.EntityMap) outcome {
	env := eval.Env{
		Entities: entities, Principal: eval.Variable("principal"), Action: eval.Variable("action"),
		Resource: eval.Variable("resource"), Context: eval.Variable("context"),
	}
	rest, ok := eval.PartialPolicy(env, (*ast.Policy)(p.cedar.AST()))
	switch {
	case !ok:
		return holdsNot
	case len(rest.Conditions) == 0:
		return holds
	}
	if _, isError := eval.ToPartialError(rest.Conditions[0].Body); isError {
		return fails
	}
	return holds | holdsNot | fails
}

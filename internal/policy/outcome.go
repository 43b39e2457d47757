package policy

import (
	"iter"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// outcome is a set of what a condition, or a policy, may come to.
type outcome uint8

const (
	holds outcome = 1 << iota
	holdsNot
	fails
)

// then is what comes of a condition that may hold, and of another one that is evaluated
// if it does.
func (o outcome) then(next outcome) outcome { return o&^holds | next }

// evaluate asks Cedar about a condition that does not read the context.
func (p *part) evaluate(entities types.EntityMap, r cedar.Request) outcome {
	answer, diagnostic := cedar.Authorize(alone{p.cedar}, entities, r)
	switch {
	case len(diagnostic.Errors) > 0:
		return fails
	case answer == cedar.Allow:
		return holds
	default:
		return holdsNot
	}
}

// alone is a single policy for Cedar to iterate over.
type alone struct{ policy *cedar.Policy }

// All implements cedar.PolicyIterator.
func (a alone) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) { yield("", a.policy) }
}

package policy

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go/types"
)

// Grant is one thing that a principal may do with a key, with some version of each.
type Grant struct {
	Principal   string
	Action      Action
	Key         string
	Conditional bool     // it depends on the request, or a forbidding condition may take it away
	Policies    []string // the names of those that permit it, sorted; not to be changed
}

// Grants lists everything that the policies together allow, sorted by principal, key
// and action. At the zero time no credential is taken to have expired.
func (e *Engine) Grants(now time.Time) []Grant {
	s := newSurvey(e)
	count := 0
	for range e.permitted(now) {
		count++
	}
	grants := make([]Grant, 0, count)
	for p := range e.permitted(now) {
		if g, ok := s.grant(p); ok {
			grants = append(grants, g)
		}
	}
	return grants
}

// GrantsThrough lists the grants to which the named policy contributes a permit.
func (e *Engine) GrantsThrough(name string, now time.Time) []Grant {
	return slices.DeleteFunc(e.Grants(now), func(g Grant) bool { return !slices.Contains(g.Policies, name) })
}

// pairing is a caller, an action, and a key that does it.
type pairing struct {
	*caller
	*target
	action int // index of actionNames
}

// permitted iterates over everything that is in the scope of a permit, in the order of
// grants.
func (e *Engine) permitted(now time.Time) iter.Seq[pairing] {
	able := make([]actionSet, len(e.targets))
	for i, t := range e.targets {
		able[i] = t.able(now)
	}
	return func(yield func(pairing) bool) {
		for _, c := range e.callers {
			if !c.isAcceptedAt(now) {
				continue
			}
			for i, t := range e.targets {
				if !e.permittedWith(c, t, able[i], yield) {
					return
				}
			}
		}
	}
}

// permittedWith iterates over what is in the scope of a permit for a caller with a key,
// among some actions. It reports whether to go on.
func (e *Engine) permittedWith(c *caller, t *target, able actionSet, yield func(pairing) bool) bool {
	if able == 0 {
		return true
	}
	for _, a := range actionsByName {
		if able&(1<<a) != 0 && meet(c.rules, t.rules, e.index.permits[a]) && !yield(pairing{c, t, a}) {
			return false
		}
	}
	return true
}

// isAcceptedAt reports whether some version of the credential is, see Standing.
func (c *caller) isAcceptedAt(now time.Time) bool {
	return slices.ContainsFunc(c.Versions, func(s Standing) bool { return s.isAcceptedAt(now) })
}

// able returns what some version of the key does at a time.
func (t *target) able(now time.Time) actionSet {
	var able actionSet
	for _, v := range t.Versions {
		if !v.Pending {
			able |= does(t.Key, v, now)
		}
	}
	return able
}

// actionsByName has the indices of actionNames in the order of the names.
var actionsByName = func() []int {
	order := make([]int, len(actionNames))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(actionNames[a], actionNames[b]) })
	return order
}()

// survey finds out about grants. Whether something is in the scope of a rule is told by
// the index, so that Cedar is asked only about conditions, and only once about each that
// does not depend on everything.
type survey struct {
	*Engine
	uids  [len(actionNames)]types.EntityUID
	known map[inquiry]outcome
}

func newSurvey(e *Engine) *survey {
	s := &survey{Engine: e, known: map[inquiry]outcome{}}
	for i, name := range actionNames {
		s.uids[i] = entity{actionType, string(name)}.uid()
	}
	return s
}

// inquiry is a condition, with as much of a request as its outcome depends on.
type inquiry struct {
	part   *part
	caller *caller
	target *target
	action int
}

// grant returns what is granted; ok is false if nothing ever is.
func (s *survey) grant(p pairing) (_ Grant, ok bool) {
	var through []string
	var isSure, isConditional bool
	for i := range common(p.caller.rules, p.target.rules, s.index.actions[p.action]) {
		r := s.rules[i]
		possible := s.outcomes(r, p)
		isConditional = isConditional || possible&fails != 0
		switch {
		case possible == fails, r.effect == Forbid && possible&holdsNot == 0:
			return Grant{}, false
		case r.effect == Forbid:
			isConditional = isConditional || possible&holds != 0
		case possible&holds != 0:
			through = r.through(through)
			isSure = isSure || possible == holds
		}
	}
	return Grant{
		Principal: p.caller.Name, Action: actionNames[p.action], Key: p.target.Spec.Name, Conditional: isConditional || !isSure, Policies: through,
	}, len(through) > 0
}

// through adds the rule's policy to a sorted list, which is not changed.
func (r *rule) through(policies []string) []string {
	i, found := slices.BinarySearch(policies, r.policy)
	switch {
	case found:
		return policies
	case len(policies) == 0:
		return r.alone
	default:
		return slices.Insert(slices.Clone(policies), i, r.policy)
	}
}

// outcomes is what a rule in whose scope something is may come to.
func (s *survey) outcomes(r *rule, p pairing) outcome {
	possible := holds
	for _, condition := range r.parts {
		if possible&holds == 0 {
			break
		}
		about := inquiry{part: condition, action: -1}
		if condition.reads&readsPrincipal != 0 {
			about.caller = p.caller
		}
		if condition.reads&readsResource != 0 {
			about.target = p.target
		}
		if condition.reads&readsAction != 0 {
			about.action = p.action
		}
		one, ok := s.known[about]
		if !ok {
			one = condition.outcomes(s.entities, p.caller.uid, s.uids[p.action], p.target.uid)
			s.known[about] = one
		}
		possible = possible.then(one)
	}
	return possible
}

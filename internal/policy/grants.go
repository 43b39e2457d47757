package policy

import (
	"slices"
	"strings"
	"time"
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
	s := survey{Engine: e, actions: actionsByName(), known: map[inquiry]outcome{}}
	able := make([]actionSet, len(e.targets))
	for i, t := range e.targets {
		for _, n := range t.Numbers() {
			if v := t.Versions[n]; !v.Pending {
				able[i] |= does(t.Key, v, now)
			}
		}
	}
	for _, c := range e.callers {
		if !slices.ContainsFunc(c.Versions, func(s Standing) bool { return s.isAcceptedAt(now) }) {
			continue
		}
		for i, t := range e.targets {
			if able[i] != 0 && meet(c.rules, t.rules, e.index.permits) {
				s.pair(c, t, able[i])
			}
		}
	}
	return s.grants
}

// GrantsThrough lists the grants to which the named policy contributes a permit.
func (e *Engine) GrantsThrough(name string, now time.Time) []Grant {
	return slices.DeleteFunc(e.Grants(now), func(g Grant) bool { return !slices.Contains(g.Policies, name) })
}

// survey lists grants. Whether a pair is in the scope of a rule is told by the index, so
// that Cedar is asked only about conditions, and only once about each that does not
// depend on everything.
type survey struct {
	*Engine
	actions []int // indices of actionNames, by name
	known   map[inquiry]outcome
	grants  []Grant
}

// inquiry is a rule, with as much of a request as its outcome depends on.
type inquiry struct {
	rule   int
	caller *caller
	target *target
	action int
}

// actionsByName returns the indices of actionNames in the order of the names.
func actionsByName() []int {
	order := make([]int, len(actionNames))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(string(actionNames[a]), string(actionNames[b])) })
	return order
}

// pair adds the grants of a caller for those actions that a key does.
func (s *survey) pair(c *caller, t *target, able actionSet) {
	for _, action := range s.actions {
		if able&(1<<action) == 0 {
			continue
		}
		var through []string
		var isSure, isConditional, isForbidden bool
		for i := range common(c.rules, t.rules, s.index.actions[action]) {
			r := s.rules[i]
			possible := s.outcomes(i, c, t, action)
			isConditional = isConditional || possible&fails != 0
			switch {
			case possible == fails, r.effect == Forbid && possible&holdsNot == 0:
				isForbidden = true
			case r.effect == Forbid:
				isConditional = isConditional || possible&holds != 0
			case possible&holds != 0:
				through = append(through, r.policy)
				isSure = isSure || possible == holds
			}
		}
		if isForbidden || len(through) == 0 {
			continue
		}
		slices.Sort(through)
		s.grants = append(s.grants, Grant{
			Principal: c.Name, Action: actionNames[action], Key: t.Spec.Name, Conditional: isConditional || !isSure, Policies: slices.Compact(through),
		})
	}
}

// outcomes is what a rule in whose scope a pair is may come to.
func (s *survey) outcomes(i int, c *caller, t *target, action int) outcome {
	r := s.rules[i]
	if !r.conditional {
		return holds
	}
	about := inquiry{rule: i, action: -1}
	if r.reads&readsPrincipal != 0 {
		about.caller = c
	}
	if r.reads&readsResource != 0 {
		about.target = t
	}
	if r.reads&readsAction != 0 {
		about.action = action
	}
	possible, ok := s.known[about]
	if !ok {
		possible = r.outcomes(s.entities, c.uid, entity{actionType, string(actionNames[action])}.uid(), t.uid)
		s.known[about] = possible
	}
	return possible
}

package policy

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go"
)

// Decision is the answer to a Request, with what has decided it, in words for a person.
// Errors is not empty only if it is denied.
type Decision struct {
	Allowed bool
	Reasons []string // never empty: "permitted by policy …", "forbidden by …", "no policy permits it"
	Errors  []string
}

// Decide answers a request.
func (e *Engine) Decide(r Request) Decision {
	c, t, action := e.callerOf[r.Principal], e.targetOf[r.Key], setOf(r.Action)
	switch {
	case r.Environment != e.environment:
		return denied(&builtIn{ruleEnvironment, fmt.Sprintf("the caller belongs to environment %q, the keys to %q", r.Environment, e.environment)})
	case action == 0:
		return denied(&builtIn{ruleAction, fmt.Sprintf("there is no action %q", r.Action)})
	case c == nil:
		return denied(&builtIn{ruleCredential, fmt.Sprintf("there is no credential %q", r.Principal)})
	case t == nil:
		return denied(&builtIn{ruleKey, fmt.Sprintf("there is no key %q", r.Key)})
	}
	var reasons []string
	if b := c.forbids(r.PrincipalVersion, r.Context.Time); b != nil {
		reasons = append(reasons, b.String())
	}
	if b := t.forbids(r.Action, r.KeyVersion, r.Context.Time); b != nil {
		reasons = append(reasons, b.String())
	}
	return e.ask(c, t, r, reasons)
}

func denied(b *builtIn) Decision { return Decision{Reasons: []string{b.String()}} }

// forbids tells why a version of the credential cannot be used at a time, nil if it can.
func (c *caller) forbids(number int, at time.Time) *builtIn {
	s := c.standing(number)
	if s == nil {
		return &builtIn{ruleCredential, fmt.Sprintf("credential %q has no version %d", c.Name, number)}
	}
	return s.forbids(c.Name, at)
}

// forbids tells why a version of the key cannot do an action at a time, nil if it can.
func (t *target) forbids(action Action, number int, at time.Time) *builtIn {
	v := t.current
	if number != 0 {
		v = finished(t.Key, number)
	}
	switch {
	case v == nil && number == 0:
		return &builtIn{ruleKey, fmt.Sprintf("key %q has no current version", t.Spec.Name)}
	case v == nil:
		return &builtIn{ruleKey, fmt.Sprintf("key %q has no version %d", t.Spec.Name, number)}
	}
	if at.IsZero() {
		at = v.ProcessUntil // what ends at some time has ended
	}
	if does(t.Key, v, at).has(setOf(action)) {
		return nil
	}
	return &builtIn{ruleKey, fmt.Sprintf("version %d of key %q, %s and %s, does not do %s", v.Number, t.Spec.Name, v.Algorithm, t.State(v), action)}
}

// ask puts a request to Cedar, and to whatever has forbidden it already. Whether it is in
// the scope of a rule the index tells, so that Cedar is asked only about rules that have
// conditions.
func (e *Engine) ask(c *caller, t *target, r Request, forbidden []string) Decision {
	asked := question{engine: e, caller: c, target: t, action: setOf(r.Action), isTimeless: r.Context.Time.IsZero()}
	permits, forbids, isConditional := asked.unconditional()
	var failed []string
	if isConditional {
		request := cedar.Request{Principal: c.uid, Action: entity{actionType, string(r.Action)}.uid(), Resource: t.uid}
		if zones, isRead := asked.context(); isRead {
			request.Context = r.Context.record(zones)
		}
		_, diagnostic := cedar.Authorize(asked, e.entities, request)
		for _, failure := range diagnostic.Errors {
			// Cedar goes on without a policy that fails, be it one that forbids.
			title := e.rules[slot(failure.PolicyID)].title
			forbidden = append(forbidden, "denied because "+title+" cannot be evaluated")
			failed = append(failed, title+": "+failure.Message)
		}
		for _, reason := range diagnostic.Reasons { // of those that forbid alone, if there are any
			if i := slot(reason.PolicyID); e.rules[i].effect == Permit {
				permits = append(permits, i)
			} else {
				forbids = append(forbids, i)
			}
		}
		slices.Sort(permits)
		slices.Sort(forbids)
	}
	for r := range asked.forbiddenForWantOfTime() {
		forbidden = append(forbidden, r.reason+", as the time of the request is not known")
	}
	switch {
	case len(forbids) > 0:
		return Decision{Reasons: append(forbidden, e.reasons(forbids)...), Errors: failed}
	case len(forbidden) > 0:
		return Decision{Reasons: forbidden, Errors: failed}
	case len(permits) == 0:
		return Decision{Reasons: []string{"no policy permits it"}}
	default:
		return Decision{Allowed: true, Reasons: e.reasons(permits)}
	}
}

// reasons is what the rules in some slots have decided.
func (e *Engine) reasons(slots []int) []string {
	reasons := make([]string, len(slots))
	for i, slot := range slots {
		reasons[i] = e.rules[slot].reason
	}
	return reasons
}

func slot(id cedar.PolicyID) int {
	i, _ := strconv.Atoi(string(id)) // see addRule
	return i
}

// question is the rules that a request may be in the scope of. It is a
// cedar.PolicyIterator.
type question struct {
	engine     *Engine
	caller     *caller
	target     *target
	action     actionSet
	isTimeless bool
}

func (q question) candidates() iter.Seq[int] {
	return common(q.caller.rules, q.target.rules, q.engine.index.actions[bits.TrailingZeros16(uint16(q.action))])
}

// unconditional lists the rules that hold without any condition, and tells whether there
// are others.
func (q question) unconditional() (permits, forbids []int, isConditional bool) {
	for i := range q.candidates() {
		switch r := q.engine.rules[i]; {
		case len(r.parts) > 0:
			isConditional = true
		case r.effect == Permit:
			permits = append(permits, i)
		default:
			forbids = append(forbids, i)
		}
	}
	return permits, forbids, isConditional
}

// All iterates over what Cedar is to evaluate. Without a time nothing is evaluated that
// reads it.
func (q question) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range q.candidates() {
			r := q.engine.rules[i]
			if len(r.parts) == 0 || q.isTimeless && r.readsTime {
				continue
			}
			if !yield(q.engine.ids[i], r.asked) {
				return
			}
		}
	}
}

// forbiddenForWantOfTime iterates over the rules that forbid at some times, if the time
// is not known.
func (q question) forbiddenForWantOfTime() iter.Seq[*rule] {
	return func(yield func(*rule) bool) {
		if !q.isTimeless {
			return
		}
		for i := range q.candidates() {
			if r := q.engine.rules[i]; r.readsTime && r.effect == Forbid && !yield(r) {
				return
			}
		}
	}
}

// context tells whether the context is read at all, and which clocks.
func (q question) context() (zones []zone, isRead bool) {
	for i := range q.candidates() {
		r := q.engine.rules[i]
		isRead = isRead || r.reads&readsContext != 0
		for _, name := range r.zones {
			if z := q.engine.zones[name]; !slices.Contains(zones, z) {
				zones = append(zones, z)
			}
		}
	}
	return zones, isRead
}

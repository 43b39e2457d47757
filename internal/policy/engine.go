package policy

import (
	"cmp"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Decision is the answer to a Request, with what has decided it, in words for a person.
// Errors is not empty only if it is denied.
type Decision struct {
	Allowed bool
	Reasons []string // never empty: "permitted by policy …", "forbidden by …", "no policy permits it"
	Errors  []string
}

// Engine decides, and lists access, for a World and its policies as they were when it
// was made. Its methods may be called from several goroutines.
type Engine struct {
	environment string
	rules       []*rule
	ids         []cedar.PolicyID // of the rules
	zones       map[string]zone
	index       *index
	entities    types.EntityMap
	callers     []*caller // by name
	targets     []*target // by name
	callerOf    map[string]*caller
	targetOf    map[string]*target
}

// caller is a credential, and the rules that may be about it; target is likewise a key.
type (
	caller struct {
		*Principal
		uid   types.EntityUID
		rules bitset
	}
	target struct {
		*keyring.Key
		uid   types.EntityUID
		rules bitset
	}
)

// NewEngine compiles the living, enabled ones of the policies. One that cannot be
// compiled is fault.Inconsistent: it was checked before it was recorded.
func NewEngine(world World, policies []*Policy) (*Engine, error) {
	e := &Engine{
		environment: world.Environment, zones: map[string]zone{}, entities: world.entities(),
		callerOf: map[string]*caller{}, targetOf: map[string]*target{},
	}
	for _, p := range policies {
		if p.Tombstone != nil || !p.Spec.Enabled {
			continue
		}
		if err := e.add(p.Spec); err != nil {
			return nil, err
		}
	}
	e.index = newIndex(e.rules)
	for _, p := range world.Principals {
		id := entity{credentialType, p.Name}
		c := &caller{&p, id.uid(), e.index.lookUp(e.index.principals, e.index.anyPrincipal, id, groups(p.Owner, p.Tags))}
		e.callers, e.callerOf[p.Name] = append(e.callers, c), c
	}
	for _, k := range world.Keys {
		id := entity{keyType, k.Spec.Name}
		t := &target{k, id.uid(), e.index.lookUp(e.index.keys, e.index.anyKey, id, groups("", k.Spec.Tags))}
		e.targets, e.targetOf[k.Spec.Name] = append(e.targets, t), t
	}
	slices.SortFunc(e.callers, func(a, b *caller) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(e.targets, func(a, b *target) int { return cmp.Compare(a.Spec.Name, b.Spec.Name) })
	return e, nil
}

// add compiles a policy.
func (e *Engine) add(spec Spec) error {
	rules, mistakes := compile(spec)
	if len(mistakes) > 0 {
		return uncompilable(spec.Name, mistakes)
	}
	for _, r := range rules {
		e.ids = append(e.ids, cedar.PolicyID(strconv.Itoa(len(e.rules))))
		e.rules = append(e.rules, r)
		for _, name := range r.zones {
			location, err := loadZone(name)
			if err != nil {
				return &fault.Error{Kind: fault.Internal, Op: "read policy", Subject: subject(spec.Name), Problem: "A time zone is missing.", Cause: err}
			}
			e.zones[name] = zone{name, location}
		}
	}
	return nil
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
	subject := fmt.Sprintf("credential %q", c.Name)
	s := c.standing(number)
	if s == nil {
		return &builtIn{ruleCredential, fmt.Sprintf("%s has no version %d", subject, number)}
	}
	return s.forbids(subject, at)
}

// forbids tells why a version of the key cannot do an action at a time, nil if it can.
func (t *target) forbids(action Action, number int, at time.Time) *builtIn {
	v := version(t.Key, number)
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

// ask puts a request to Cedar, and to whatever has forbidden it already.
func (e *Engine) ask(c *caller, t *target, r Request, forbidden []string) Decision {
	asked := question{engine: e, caller: c, target: t, action: setOf(r.Action), isTimeless: r.Context.Time.IsZero()}
	request := cedar.Request{Principal: c.uid, Action: entity{actionType, string(r.Action)}.uid(), Resource: t.uid}
	if zones, isRead := asked.context(); isRead {
		request.Context = r.Context.record(zones)
	}
	answer, diagnostic := cedar.Authorize(asked, e.entities, request)

	var d Decision
	for _, failure := range diagnostic.Errors {
		// Cedar goes on without a policy that fails, be it one that forbids.
		title := e.rule(failure.PolicyID).title()
		forbidden = append(forbidden, "denied because "+title+" cannot be evaluated")
		d.Errors = append(d.Errors, title+": "+failure.Message)
	}
	for r := range asked.forbiddenForWantOfTime() {
		forbidden = append(forbidden, "forbidden by "+r.title()+", as the time of the request is not known")
	}
	for _, reason := range diagnostic.Reasons {
		title := e.rule(reason.PolicyID).title()
		if answer == cedar.Deny {
			forbidden = append(forbidden, "forbidden by "+title)
			continue
		}
		d.Reasons = append(d.Reasons, "permitted by "+title)
	}
	switch {
	case len(forbidden) > 0:
		d.Reasons = forbidden
	case len(d.Reasons) == 0:
		d.Reasons = []string{"no policy permits it"}
	default:
		d.Allowed = answer == cedar.Allow
	}
	return d
}

func (e *Engine) rule(id cedar.PolicyID) *rule {
	i, _ := strconv.Atoi(string(id)) // see add
	return e.rules[i]
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

// All iterates over what Cedar is to evaluate. Without a time nothing is evaluated that
// reads it.
func (q question) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for i := range q.candidates() {
			r := q.engine.rules[i]
			if q.isTimeless && r.readsTime {
				continue
			}
			if !yield(q.engine.ids[i], r.cedar) {
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

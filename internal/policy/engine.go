package policy

import (
	"cmp"
	"iter"
	"slices"
	"strconv"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Engine decides, and lists access, for a World and its policies as they were when it
// was made. Its methods may be called from several goroutines.
type Engine struct {
	environment string
	rules       []*rule          // nil in a slot that is free, see Outlook
	ids         []cedar.PolicyID // of the slots
	free        []int            // slots
	zones       map[string]zone
	index       *index
	entities    types.EntityMap
	callers     []*caller // by name
	targets     []*target // by name
	callerOf    map[string]*caller
	targetOf    map[string]*target
	callersIn   map[entity]map[*caller]bool // by owner and tag
	targetsIn   map[entity]map[*target]bool // by tag
}

// caller is a credential, and the rules that may be about it; target is likewise a key.
type (
	caller struct {
		*Principal
		uid    types.EntityUID
		groups []entity
		rules  bitset
	}
	target struct {
		*keyring.Key
		current *keyring.Version
		uid     types.EntityUID
		groups  []entity
		rules   bitset
	}
)

// NewEngine compiles the living, enabled ones of the policies. One that cannot be
// compiled is fault.Inconsistent: it was checked before it was recorded.
func NewEngine(world World, policies []*Policy) (*Engine, error) {
	e := newEngine(world.Environment)
	for _, p := range policies {
		if !p.isInForce() {
			continue
		}
		rules, mistakes := compile(p.Spec)
		if len(mistakes) > 0 {
			return nil, uncompilable(p.Spec.Name, mistakes)
		}
		for _, r := range rules {
			if _, err := e.addRule(r); err != nil {
				return nil, err
			}
		}
	}
	e.populate(world)
	return e, nil
}

// isInForce reports whether the policy counts: it is not removed and not disabled.
func (p *Policy) isInForce() bool { return p.Tombstone == nil && p.Spec.Enabled }

func newEngine(environment string) *Engine {
	return &Engine{
		environment: environment, zones: map[string]zone{}, index: newIndex(), entities: types.EntityMap{},
		callerOf: map[string]*caller{}, targetOf: map[string]*target{},
		callersIn: map[entity]map[*caller]bool{}, targetsIn: map[entity]map[*target]bool{},
	}
}

// populate adds everything in a world to an engine without any.
func (e *Engine) populate(world World) {
	for i := range world.Principals {
		e.callers = append(e.callers, e.newCaller(&world.Principals[i]))
	}
	for _, k := range world.Keys {
		e.targets = append(e.targets, e.newTarget(k))
	}
	slices.SortFunc(e.callers, byCaller)
	slices.SortFunc(e.targets, byTarget)
}

func byCaller(a, b *caller) int { return cmp.Compare(a.Name, b.Name) }
func byTarget(a, b *target) int { return cmp.Compare(a.Spec.Name, b.Spec.Name) }

// newCaller enters a credential wherever it is looked for but in the list.
func (e *Engine) newCaller(p *Principal) *caller {
	id := entity{credentialType, p.Name}
	c := &caller{Principal: p, uid: id.uid(), groups: groups(p.Owner, p.Tags)}
	c.rules = e.index.lookUp(e.index.principals, e.index.anyPrincipal, id, c.groups)
	e.callerOf[p.Name], e.entities[c.uid] = c, p.entity()
	enter(e.callersIn, c, c.groups)
	return c
}

func (e *Engine) newTarget(k *keyring.Key) *target {
	id := entity{keyType, k.Spec.Name}
	t := &target{Key: k, current: k.Current(), uid: id.uid(), groups: groups("", k.Spec.Tags)}
	t.rules = e.index.lookUp(e.index.keys, e.index.anyKey, id, t.groups)
	e.targetOf[k.Spec.Name], e.entities[t.uid] = t, keyEntity(k)
	enter(e.targetsIn, t, t.groups)
	return t
}

func enter[M comparable](in map[entity]map[M]bool, member M, groups []entity) {
	for _, g := range groups {
		if in[g] == nil {
			in[g] = map[M]bool{}
		}
		in[g][member] = true
	}
}

func leave[M comparable](in map[entity]map[M]bool, member M, groups []entity) {
	for _, g := range groups {
		if delete(in[g], member); len(in[g]) == 0 {
			delete(in, g)
		}
	}
}

// addRule puts a rule into a slot, which it returns.
func (e *Engine) addRule(r *rule) (slot int, err error) {
	if r.clause != nil {
		for _, name := range r.clause.zones {
			location, err := loadZone(name)
			if err != nil {
				return 0, &fault.Error{Kind: fault.Internal, Op: "read policy", Subject: subject(r.policy), Problem: "A time zone is missing.", Cause: err}
			}
			e.zones[name] = zone{name, location}
		}
	}
	if n := len(e.free); n > 0 {
		slot, e.free = e.free[n-1], e.free[:n-1]
		e.rules[slot] = r
	} else {
		slot = len(e.rules)
		e.rules, e.ids = append(e.rules, r), append(e.ids, cedar.PolicyID(strconv.Itoa(slot)))
	}
	e.index.add(slot, r)
	for c := range e.callersUnder(r) {
		c.rules.add(slot)
	}
	for t := range e.targetsUnder(r) {
		t.rules.add(slot)
	}
	return slot, nil
}

// removeRule frees a slot.
func (e *Engine) removeRule(slot int) {
	r := e.rules[slot]
	for c := range e.callersUnder(r) {
		c.rules.remove(slot)
	}
	for t := range e.targetsUnder(r) {
		t.rules.remove(slot)
	}
	e.index.remove(slot, r)
	e.rules[slot], e.free = nil, append(e.free, slot)
}

// callersUnder iterates over the credentials that a rule is about, some perhaps twice.
func (e *Engine) callersUnder(r *rule) iter.Seq[*caller] {
	return under(r.principals, e.callers, credentialType, e.callerOf, e.callersIn)
}

// targetsUnder iterates over the keys that a rule is about, some perhaps twice.
func (e *Engine) targetsUnder(r *rule) iter.Seq[*target] {
	return under(r.keys, e.targets, keyType, e.targetOf, e.targetsIn)
}

func under[M comparable](named []entity, all []M, itself entityType, byName map[string]M, in map[entity]map[M]bool) iter.Seq[M] {
	return func(yield func(M) bool) {
		if named == nil {
			slices.Values(all)(yield)
			return
		}
		for _, e := range named {
			if e.Type == itself {
				if m, ok := byName[e.ID]; ok && !yield(m) {
					return
				}
			}
			for m := range in[e] {
				if !yield(m) {
					return
				}
			}
		}
	}
}

package policy

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// Outlook is the access in an environment that changes step by step: what is planned for
// it, one thing after the other, on top of what there is. Each step costs as much as what
// it is about, and not as much as the environment has in it. Its methods may be called
// from several goroutines.
//
// A policy that cannot be compiled counts as none, and is remembered, see Err.
type Outlook struct {
	mu       sync.Mutex
	engine   *Engine
	survey   *survey
	policies map[string]*enforced
	memory   *memory
}

// enforced is a policy in an outlook.
type enforced struct {
	*prepared
	slots  []int // of its rules, in the engine; none of a policy that is not enabled
	broken error
}

// prepared is a policy and what it compiles to.
type prepared struct {
	spec     Spec
	rules    []*rule
	mistakes []Finding
}

// memory is what policies compile to, so that none is compiled more than once. Outlooks
// that come from each other share it.
type memory struct {
	mu    sync.Mutex
	known map[string]*prepared
}

func (m *memory) prepare(spec Spec) *prepared {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.known[spec.Name]; p != nil && reflect.DeepEqual(p.spec, spec) {
		return p
	}
	p := &prepared{spec: spec}
	p.rules, p.mistakes = compile(spec)
	m.known[spec.Name] = p
	return p
}

// Shift is what one step changes: the access that the step may be about, before and after
// it. What is in both has not changed.
type Shift struct{ Before, After []Grant }

// NewOutlook returns the outlook on an environment as it is.
func NewOutlook(world World, policies []*Policy) *Outlook {
	return newOutlook(World{}).Renew(world, policies)
}

func newOutlook(world World) *Outlook {
	e := newEngine(world.Environment)
	e.populate(world)
	return &Outlook{engine: e, survey: newSurvey(e), policies: map[string]*enforced{}, memory: &memory{known: map[string]*prepared{}}}
}

// Renew returns an outlook on another state of the environment. Policies that have not
// changed are not compiled again.
func (o *Outlook) Renew(world World, policies []*Policy) *Outlook {
	next := newOutlook(World{Environment: world.Environment})
	next.memory = o.memory
	for _, p := range policies {
		if p.Tombstone == nil {
			next.enforce(next.memory.prepare(p.Spec))
		}
	}
	next.engine.populate(world)
	return next
}

// Fork returns a copy, on which other steps can be taken.
func (o *Outlook) Fork() *Outlook {
	o.mu.Lock()
	defer o.mu.Unlock()
	next := newOutlook(World{Environment: o.engine.environment})
	next.memory = o.memory
	for _, name := range slices.Sorted(maps.Keys(o.policies)) {
		next.enforce(o.policies[name].prepared)
	}
	var world World
	for _, c := range o.engine.callers {
		world.Principals = append(world.Principals, *c.Principal)
	}
	for _, t := range o.engine.targets {
		world.Keys = append(world.Keys, t.Key)
	}
	next.engine.populate(world)
	return next
}

// enforce adds a policy; there must not be one of its name.
func (o *Outlook) enforce(p *prepared) {
	e := &enforced{prepared: p}
	o.policies[p.spec.Name] = e
	if !p.spec.Enabled {
		return
	}
	if len(p.mistakes) > 0 {
		e.broken = uncompilable(p.spec.Name, p.mistakes)
		return
	}
	for _, r := range p.rules {
		slot, err := o.engine.addRule(r)
		if err != nil {
			e.broken = err
			return
		}
		e.slots = append(e.slots, slot)
	}
}

// lift takes a policy away.
func (o *Outlook) lift(name string) {
	p := o.policies[name]
	if p == nil {
		return
	}
	for _, slot := range p.slots {
		o.engine.removeRule(slot)
	}
	delete(o.policies, name)
}

// inForce returns the rules of a policy that count; none of nil.
func (p *prepared) inForce() []*rule {
	if p == nil || !p.spec.Enabled || len(p.mistakes) > 0 {
		return nil
	}
	return p.rules
}

// Err tells that some policy cannot be compiled (fault.Inconsistent), so that what is
// said of access may be wrong.
func (o *Outlook) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(o.policies)) {
		if p := o.policies[name]; p.broken != nil {
			return p.broken
		}
	}
	return nil
}

// SetPrincipal makes a credential be as described.
func (o *Outlook) SetPrincipal(p Principal, now time.Time) Shift {
	o.mu.Lock()
	defer o.mu.Unlock()
	var shift Shift
	if c := o.engine.callerOf[p.Name]; c != nil {
		shift.Before = o.grantsOf(c, now)
	}
	shift.After = o.grantsOf(o.setCaller(&p), now)
	return shift
}

// RemovePrincipal makes a credential be of no use any more. As long as the name is in
// policies, it is no mistake there.
func (o *Outlook) RemovePrincipal(name string, now time.Time) Shift {
	return o.SetPrincipal(Principal{Name: name}, now)
}

// SetKey makes a key be as described.
func (o *Outlook) SetKey(k *keyring.Key, now time.Time) Shift {
	o.mu.Lock()
	defer o.mu.Unlock()
	var shift Shift
	if t := o.engine.targetOf[k.Spec.Name]; t != nil {
		shift.Before = o.grantsWith(t, now)
	}
	shift.After = o.grantsWith(o.setTarget(k), now)
	return shift
}

// RemoveKey is like RemovePrincipal.
func (o *Outlook) RemoveKey(name string, now time.Time) Shift {
	return o.SetKey(&keyring.Key{Spec: keyring.Spec{Name: name}}, now)
}

// SetPolicy makes a policy say what the spec says.
func (o *Outlook) SetPolicy(spec Spec, now time.Time) Shift {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.replace(spec.Name, o.memory.prepare(spec), now)
}

// RemovePolicy takes a policy away.
func (o *Outlook) RemovePolicy(name string, now time.Time) Shift {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.replace(name, nil, now)
}

func (o *Outlook) replace(name string, next *prepared, now time.Time) Shift {
	rules := slices.Concat(o.at(name).inForce(), next.inForce())
	shift := Shift{Before: o.grantsUnder(rules, now)}
	o.lift(name)
	if next != nil {
		o.enforce(next)
	}
	shift.After = o.grantsUnder(rules, now)
	return shift
}

// at returns what is in force under a name, nil for nothing.
func (o *Outlook) at(name string) *prepared {
	if p := o.policies[name]; p != nil {
		return p.prepared
	}
	return nil
}

// Foresee tells what goes through a policy, and what will when it says what the spec
// says and there are some more credentials and keys. It changes nothing. No credential is
// taken to have expired.
func (o *Outlook) Foresee(spec Spec, principals []Principal, keys []*keyring.Key) Shift {
	o.mu.Lock()
	defer o.mu.Unlock()
	shift := Shift{Before: o.through(o.at(spec.Name), spec.Name, time.Time{})}
	o.with(principals, keys, func() { shift.After = o.trying(o.memory.prepare(spec), time.Time{}) })
	return shift
}

// Through lists the grants to which a policy contributes a permit.
func (o *Outlook) Through(name string, now time.Time) []Grant {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.through(o.at(name), name, now)
}

// ThroughWith is Through for a policy that says what the spec says. It changes nothing.
func (o *Outlook) ThroughWith(spec Spec, now time.Time) []Grant {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.trying(o.memory.prepare(spec), now)
}

func (o *Outlook) through(p *prepared, name string, now time.Time) []Grant {
	return slices.DeleteFunc(o.grantsUnder(p.inForce(), now), func(g Grant) bool { return !slices.Contains(g.Policies, name) })
}

// trying is through for a policy that is in force only as long as this takes.
func (o *Outlook) trying(p *prepared, now time.Time) []Grant {
	name := p.spec.Name
	was := o.at(name)
	o.lift(name)
	o.enforce(p)
	grants := o.through(p, name, now)
	o.lift(name)
	if was != nil {
		o.enforce(was)
	}
	return grants
}

// CanForesee reports whether a plan can tell in full what goes through a policy before
// everything else is planned. It can where each permit names its callers and keys one by
// one: Terraform plans those before. Whom an owner or a tag stands for, or "any", something
// else that is planned later may change. What such a policy gives when it changes is told
// from what there is; but not of one that is new, and not where a group has nobody in it
// yet and so probably will have.
func (o *Outlook) CanForesee(spec Spec, isNew bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	isOpen := func(named []entity, of entityType) bool {
		return isNew && named == nil || slices.ContainsFunc(named, func(e entity) bool { return e.Type != of && (isNew || !o.engine.has(of, e)) })
	}
	for _, r := range o.memory.prepare(spec).inForce() {
		if r.effect != Permit {
			continue
		}
		if isOpen(r.principals, credentialType) || isOpen(r.keys, keyType) {
			return false
		}
		if r.principals == nil && len(o.engine.callers) == 0 || r.keys == nil && len(o.engine.targets) == 0 {
			return false
		}
	}
	return true
}

// DecideWith answers a request, with some more credentials and keys.
func (o *Outlook) DecideWith(r Request, principals []Principal, keys []*keyring.Key) Decision {
	o.mu.Lock()
	defer o.mu.Unlock()
	var d Decision
	o.with(principals, keys, func() { d = o.engine.Decide(r) })
	return d
}

// with does something while there are some more credentials and keys. Those that are
// there stay as they are.
func (o *Outlook) with(principals []Principal, keys []*keyring.Key, do func()) {
	for _, p := range principals {
		if o.engine.callerOf[p.Name] == nil {
			defer o.dropCaller(o.setCaller(&p))
		}
	}
	for _, k := range keys {
		if o.engine.targetOf[k.Spec.Name] == nil {
			defer o.dropTarget(o.setTarget(k))
		}
	}
	do()
}

// Grants lists everything that the policies together allow, see Engine.Grants.
func (o *Outlook) Grants(now time.Time) []Grant {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.engine.Grants(now)
}

// Principal returns a credential, which is not to be changed; nil if there is none.
func (o *Outlook) Principal(name string) *Principal {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.engine.callerOf[name]; c != nil {
		return c.Principal
	}
	return nil
}

// Key returns a key, which is not to be changed; nil if there is none.
func (o *Outlook) Key(name string) *keyring.Key {
	o.mu.Lock()
	defer o.mu.Unlock()
	if t := o.engine.targetOf[name]; t != nil {
		return t.Key
	}
	return nil
}

// HasPolicy reports whether there is a policy of a name.
func (o *Outlook) HasPolicy(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.policies[name] != nil
}

// NamingPrincipal lists the policies that name a credential, enabled or not, by name.
func (o *Outlook) NamingPrincipal(name string) []string {
	return o.naming(entity{credentialType, name})
}

// NamingKey is like NamingPrincipal.
func (o *Outlook) NamingKey(name string) []string { return o.naming(entity{keyType, name}) }

func (o *Outlook) naming(e entity) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var policies []string
	for name, p := range o.policies {
		if names(p.rules, e.Type)[e.ID] {
			policies = append(policies, name)
		}
	}
	slices.Sort(policies)
	return policies
}

// Missing lists the credentials and keys that a policy names and that are not there: they
// were removed since. Whoever gets such a name gets what the policy permits.
func (o *Outlook) Missing(policy string) (principals, keys []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.policies[policy]
	if p == nil {
		return nil, nil
	}
	for name := range names(p.rules, credentialType) {
		if o.engine.callerOf[name] == nil {
			principals = append(principals, name)
		}
	}
	for name := range names(p.rules, keyType) {
		if o.engine.targetOf[name] == nil {
			keys = append(keys, name)
		}
	}
	slices.Sort(principals)
	slices.Sort(keys)
	return principals, keys
}

// setCaller puts a credential in, in place of one of the same name.
func (o *Outlook) setCaller(p *Principal) *caller {
	if c := o.engine.callerOf[p.Name]; c != nil {
		o.dropCaller(c)
	}
	c := o.engine.newCaller(p)
	i, _ := slices.BinarySearchFunc(o.engine.callers, c, byCaller)
	o.engine.callers = slices.Insert(o.engine.callers, i, c)
	o.survey = newSurvey(o.engine) // a condition may read what is not among its variables
	return c
}

func (o *Outlook) dropCaller(c *caller) {
	e := o.engine
	delete(e.callerOf, c.Name)
	delete(e.entities, c.uid)
	leave(e.callersIn, c, c.groups)
	i, _ := slices.BinarySearchFunc(e.callers, c, byCaller)
	e.callers = slices.Delete(e.callers, i, i+1)
	o.survey = newSurvey(e)
}

func (o *Outlook) setTarget(k *keyring.Key) *target {
	if t := o.engine.targetOf[k.Spec.Name]; t != nil {
		o.dropTarget(t)
	}
	t := o.engine.newTarget(k)
	i, _ := slices.BinarySearchFunc(o.engine.targets, t, byTarget)
	o.engine.targets = slices.Insert(o.engine.targets, i, t)
	o.survey = newSurvey(o.engine)
	return t
}

func (o *Outlook) dropTarget(t *target) {
	e := o.engine
	delete(e.targetOf, t.Spec.Name)
	delete(e.entities, t.uid)
	leave(e.targetsIn, t, t.groups)
	i, _ := slices.BinarySearchFunc(e.targets, t, byTarget)
	e.targets = slices.Delete(e.targets, i, i+1)
	o.survey = newSurvey(e)
}

// grantsOf lists what a credential may do.
func (o *Outlook) grantsOf(c *caller, now time.Time) []Grant {
	if !c.isAcceptedAt(now) {
		return nil
	}
	var grants []Grant
	for _, t := range o.engine.targets {
		grants = o.grantsBetween(grants, c, t, t.able(now))
	}
	return grants
}

// grantsWith lists what may be done with a key.
func (o *Outlook) grantsWith(t *target, now time.Time) []Grant {
	var grants []Grant
	able := t.able(now)
	for _, c := range o.engine.callers {
		if c.isAcceptedAt(now) {
			grants = o.grantsBetween(grants, c, t, able)
		}
	}
	return grants
}

// grantsUnder lists what the rules have a say in.
func (o *Outlook) grantsUnder(rules []*rule, now time.Time) []Grant {
	type pair struct {
		c *caller
		t *target
	}
	seen := map[pair]actionSet{}
	var grants []Grant
	for _, r := range rules {
		for t := range o.engine.targetsUnder(r) {
			able := t.able(now) & r.actions
			if able == 0 {
				continue
			}
			for c := range o.engine.callersUnder(r) {
				fresh := able &^ seen[pair{c, t}]
				if fresh == 0 || !c.isAcceptedAt(now) {
					continue
				}
				seen[pair{c, t}] |= fresh
				grants = o.grantsBetween(grants, c, t, fresh)
			}
		}
	}
	return grants
}

func (o *Outlook) grantsBetween(grants []Grant, c *caller, t *target, able actionSet) []Grant {
	o.engine.permittedWith(c, t, able, func(p pairing) bool {
		if g, ok := o.survey.grant(p); ok {
			grants = append(grants, g)
		}
		return true
	})
	return grants
}

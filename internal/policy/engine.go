package policy

import (
	"cmp"
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
		current *keyring.Version
		uid     types.EntityUID
		rules   bitset
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
		t := &target{k, k.Current(), id.uid(), e.index.lookUp(e.index.keys, e.index.anyKey, id, groups("", k.Spec.Tags))}
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

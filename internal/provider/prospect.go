package provider

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// prospect is what is needed to tell, in a plan, what access it will give: the
// environment as it was before this run changed anything, and what the run is going to
// add.
//
// Terraform plans each change twice, again just before it applies it, and both have to
// come out the same. So the environment is taken as it was at the beginning of the run,
// not as it is while other changes are being applied; and of what the run adds only
// that is looked at which a policy names, as it is sure to be planned before the policy.
type prospect struct {
	mu       sync.Mutex
	baseline *baseline
	keys     map[string]*keyring.Key      // nil for one of which not everything is known yet
	callers  map[string]*policy.Principal // likewise

	standing *standing // nil until somebody asks, and again after every change
}

// standing is the access that an environment's policies give now.
type standing struct{ grants []policy.Grant }

// baseline is an environment at the beginning of a run.
type baseline struct {
	world    policy.World
	policies []*policy.Policy
}

// baseline returns the environment as it was before this run, nil after an error. Every
// operation that changes something asks for it first, so that it is not too late.
func (c *client) baseline(ctx context.Context, services *Services, diags *diag.Diagnostics) *baseline {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.baseline == nil {
		world, policies, err := services.Policies.World(ctx)
		if err != nil {
			report(diags, err)
			return nil
		}
		c.prospect.baseline = &baseline{world, policies}
	}
	return c.prospect.baseline
}

// change is begin for an operation that changes something.
func (c *client) change(ctx context.Context, diags *diag.Diagnostics) (context.Context, *Services) {
	ctx, services := c.begin(ctx, diags)
	if services != nil {
		c.baseline(ctx, services, diags)
	}
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	c.prospect.standing = nil
	return ctx, services
}

// grantsNow lists the access that the environment's policies give now. It is listed once
// for all that is read between two changes: a list takes as long for one policy as for a
// hundred.
func (c *client) grantsNow(ctx context.Context, services *Services) ([]policy.Grant, error) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.standing == nil {
		world, policies, err := services.Policies.World(ctx)
		if err != nil {
			return nil, err
		}
		engine, err := policy.NewEngine(world, policies)
		if err != nil {
			return nil, err
		}
		c.prospect.standing = &standing{engine.Grants(services.Policies.Now())}
	}
	return c.prospect.standing.grants, nil
}

// expectKey notes a key that this run is going to make; key is nil if not everything
// about it is known yet.
func (c *client) expectKey(name string, key *keyring.Key) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.keys == nil {
		c.prospect.keys = map[string]*keyring.Key{}
	}
	c.prospect.keys[name] = key
}

// expectCaller notes a credential that this run is going to issue; caller is nil if not
// everything about it is known yet.
func (c *client) expectCaller(name string, caller *policy.Principal) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	if c.prospect.callers == nil {
		c.prospect.callers = map[string]*policy.Principal{}
	}
	c.prospect.callers[name] = caller
}

// with adds to a world those of the named callers and keys that this run is going to
// make. isWhole is false if not everything about them is known yet: they are in the
// world then by their names alone.
func (c *client) with(world policy.World, callers, keys []string) (_ policy.World, isWhole bool) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	isWhole = true
	world.Principals, world.Keys = slices.Clone(world.Principals), slices.Clone(world.Keys)
	for _, name := range callers {
		expected, ok := c.prospect.callers[name]
		if !ok || slices.ContainsFunc(world.Principals, func(p policy.Principal) bool { return p.Name == name }) {
			continue
		}
		if expected == nil {
			expected, isWhole = &policy.Principal{Name: name}, false
		}
		world.Principals = append(world.Principals, *expected)
	}
	for _, name := range keys {
		expected, ok := c.prospect.keys[name]
		if !ok || slices.ContainsFunc(world.Keys, func(k *keyring.Key) bool { return k.Spec.Name == name }) {
			continue
		}
		if expected == nil {
			expected, isWhole = &keyring.Key{Spec: keyring.Spec{Name: name}}, false
		}
		world.Keys = append(world.Keys, expected)
	}
	return world, isWhole
}

// expected lists the names of everything that this run is going to make.
func (c *client) expected() (callers, keys []string) {
	c.prospect.mu.Lock()
	defer c.prospect.mu.Unlock()
	return slices.Sorted(maps.Keys(c.prospect.callers)), slices.Sorted(maps.Keys(c.prospect.keys))
}

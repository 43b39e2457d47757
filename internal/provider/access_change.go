package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// shown is how many lines of a list of grants a warning has.
const shown = 50

// warnAccess tells what access a planned change gives and takes away that no other
// line of the plan shows.
func (c *client) warnAccess(diags *diag.Diagnostics, subject string, before, after access) {
	gained, lost := after.minus(before), before.minus(after)
	var lines []string
	for _, g := range gained.list() {
		lines = append(lines, "  + "+g.String())
	}
	for _, g := range lost.list() {
		lines = append(lines, "  - "+g.String())
	}
	if len(lines) == 0 {
		return
	}
	if len(lines) > shown {
		lines = append(lines[:shown], fmt.Sprintf("  and %d more", len(lines)-shown))
	}
	summary := "Access is given and taken away"
	switch {
	case len(lost) == 0:
		summary = "Access is given"
	case len(gained) == 0:
		summary = "Access is taken away"
	}
	c.warnOnce(diags, summary, fmt.Sprintf("With the change of %s the environment's policies allow:\n\n%s", subject, strings.Join(lines, "\n")))
}

// warnCaller tells what access the change of a credential gives or takes away by the
// policies that there are; caller is nil if the credential goes.
func (c *client) warnCaller(ctx context.Context, services *Services, name string, caller *policy.Principal, diags *diag.Diagnostics) {
	b := c.baseline(ctx, services, diags)
	if b == nil || len(b.policies) == 0 {
		return
	}
	before, after := b.world, b.world
	before.Principals, after.Principals = nil, nil
	for _, p := range b.world.Principals {
		if p.Name == name {
			before.Principals = []policy.Principal{p}
		}
	}
	if caller != nil {
		after.Principals = []policy.Principal{*caller}
	}
	c.warnWorlds(diags, fmt.Sprintf("API credential %q", name), b.policies, before, after)
}

// warnKey tells what access the change of a key gives or takes away by the policies
// that there are; spec is nil if the key goes.
func (c *client) warnKey(ctx context.Context, services *Services, name string, spec *keyring.Spec, diags *diag.Diagnostics) {
	b := c.baseline(ctx, services, diags)
	if b == nil || len(b.policies) == 0 {
		return
	}
	before, after := b.world, b.world
	before.Keys, after.Keys = nil, nil
	for _, k := range b.world.Keys {
		if k.Spec.Name == name {
			before.Keys = []*keyring.Key{k}
		}
	}
	switch {
	case spec != nil && len(before.Keys) > 0:
		key := before.Keys[0].Clone()
		key.Ask(*spec)
		after.Keys = []*keyring.Key{key}
	case spec != nil:
		after.Keys = []*keyring.Key{keyring.Prospective(*spec)}
	}
	c.warnWorlds(diags, fmt.Sprintf("key %q", name), b.policies, before, after)
}

// warnOthers tells what the change of a policy does to the access that the others give:
// it may forbid what they permit. Where its own access changes as well, the plan shows
// that as its effective_access.
func (c *client) warnOthers(diags *diag.Diagnostics, name string, world policy.World, before, after []*policy.Policy) {
	if !mayForbid(before, name) && !mayForbid(after, name) {
		return
	}
	var own, others [2]access
	for i, policies := range [][]*policy.Policy{before, after} {
		engine, err := policy.NewEngine(world, policies)
		if err != nil {
			report(diags, err)
			return
		}
		grants := engine.Grants(c.services.Policies.Now())
		own[i] = accessOf(grantsThrough(grants, name))
		others[i] = accessOf(slices.DeleteFunc(grants, func(g policy.Grant) bool { return slices.Equal(g.Policies, []string{name}) }))
	}
	seen := own[0].minus(own[1])
	maps.Copy(seen, own[1].minus(own[0]))
	c.warnAccess(diags, fmt.Sprintf("access policy %q", name), others[0].apartFrom(seen), others[1].apartFrom(seen))
}

// mayForbid reports whether the named policy may have a statement that forbids.
func mayForbid(policies []*policy.Policy, name string) bool {
	return slices.ContainsFunc(policies, func(p *policy.Policy) bool {
		if p.Spec.Name != name || !p.Spec.Enabled {
			return false
		}
		cedar, _ := policy.Compile(p.Spec)
		return strings.Contains(cedar, string(policy.Forbid))
	})
}

func (c *client) warnWorlds(diags *diag.Diagnostics, subject string, policies []*policy.Policy, before, after policy.World) {
	var sides [2]access
	for i, world := range []policy.World{before, after} {
		engine, err := policy.NewEngine(world, policies)
		if err != nil {
			report(diags, err)
			return
		}
		sides[i] = accessOf(engine.Grants(c.services.Policies.Now()))
	}
	c.warnAccess(diags, subject, sides[0], sides[1])
}

package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// core is as much of Terraform as it takes to run one resource through its life at
// protocol level: refresh, plan, apply, in either order of a replacement. It holds
// the provider to what Terraform does: what was planned as known has to come out.
type core struct {
	*server
	t           *testing.T
	resource    string
	createFirst bool
	state       values // nil if there is none
	diagnostics []*tfprotov6.Diagnostic
}

// apply refreshes, plans and applies, and then expects a plan without changes. It
// returns the plan.
func (c *core) apply(config values) plan {
	c.t.Helper()
	c.refresh()
	p := c.plan(c.t, c.resource, c.state, config)
	noErrors(c.t, p.diagnostics)
	c.carryOut(p, config)
	c.settled(config)
	return p
}

// carryOut does what was planned, be it long ago.
func (c *core) carryOut(p plan, config values) {
	c.t.Helper()
	switch {
	case len(p.replace) == 0:
		c.state = c.change(c.state, p.values, config)
	case c.createFirst:
		deposed := c.state
		c.state = c.change(nil, c.plan(c.t, c.resource, nil, config).values, config)
		c.change(deposed, nil, nil)
	default:
		c.change(c.state, nil, nil)
		c.state = c.change(nil, c.plan(c.t, c.resource, nil, config).values, config)
	}
}

// change applies one planned change and returns the new state.
func (c *core) change(prior, planned, config values) values {
	c.t.Helper()
	state, diagnostics := c.try(prior, planned, config)
	noErrors(c.t, diagnostics)
	for name, want := range planned {
		if got := state[name]; !cameOutAs(want, got) {
			c.t.Errorf("inconsistent result: %s was planned as %v and came out as %v", name, want, got)
		}
	}
	return state
}

// cameOutAs reports whether a value is what was planned: what was left open may be anything.
func cameOutAs(planned, got any) bool {
	if planned == any(unknown) {
		return true
	}
	want, isMap := planned.(values)
	is, alike := got.(values)
	if !isMap || !alike {
		return fmt.Sprint(planned) == fmt.Sprint(got)
	}
	if len(want) != len(is) {
		return false
	}
	for name, each := range want {
		if value, there := is[name]; !there || !cameOutAs(each, value) {
			return false
		}
	}
	return true
}

func (c *core) try(prior, planned, config values) (values, []*tfprotov6.Diagnostic) {
	c.t.Helper()
	typ := c.resourceType(c.resource)
	resp, err := c.ApplyResourceChange(c.t.Context(), &tfprotov6.ApplyResourceChangeRequest{
		TypeName: c.resource, PriorState: encode(c.t, typ, prior), PlannedState: encode(c.t, typ, planned), Config: encode(c.t, typ, config),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.diagnostics = append(c.diagnostics, resp.Diagnostics...)
	return c.whole(typ, resp.NewState), resp.Diagnostics
}

// refresh reads the resource into the state.
func (c *core) refresh() {
	c.t.Helper()
	if c.state == nil {
		return
	}
	state, diagnostics := c.read(c.state)
	noErrors(c.t, diagnostics)
	c.state = state
}

func (c *core) read(prior values) (values, []*tfprotov6.Diagnostic) {
	c.t.Helper()
	typ := c.resourceType(c.resource)
	resp, err := c.ReadResource(c.t.Context(), &tfprotov6.ReadResourceRequest{TypeName: c.resource, CurrentState: encode(c.t, typ, prior)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.diagnostics = append(c.diagnostics, resp.Diagnostics...)
	return c.whole(typ, resp.NewState), resp.Diagnostics
}

// settled expects a plan without changes.
func (c *core) settled(config values) {
	c.t.Helper()
	c.refresh()
	p := c.plan(c.t, c.resource, c.state, config)
	noErrors(c.t, p.diagnostics)
	if changed := p.changed(); len(changed) > 0 || len(p.replace) > 0 {
		for _, name := range changed {
			c.t.Errorf("the plan is not empty: %s from %v to %v", name, p.prior[name], p.values[name])
		}
	}
}

// importID imports a resource, refreshes it and expects a plan without changes.
func (c *core) importID(id string, config values) {
	c.t.Helper()
	typ := c.resourceType(c.resource)
	resp, err := c.ImportResourceState(c.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: c.resource, ID: id})
	if err != nil {
		c.t.Fatal(err)
	}
	noErrors(c.t, resp.Diagnostics)
	if len(resp.ImportedResources) != 1 {
		c.t.Fatalf("%d resources were imported", len(resp.ImportedResources))
	}
	c.state = c.whole(typ, resp.ImportedResources[0].State)
	c.settled(config)
}

// whole decodes a state and expects every value to be known.
func (c *core) whole(typ tftypes.Type, encoded *tfprotov6.DynamicValue) values {
	c.t.Helper()
	if encoded == nil {
		return nil
	}
	value, err := encoded.Unmarshal(typ)
	if err != nil {
		c.t.Fatal(err)
	}
	if !value.IsFullyKnown() {
		c.t.Errorf("the state is not wholly known: %s", value)
	}
	return decode(c.t, typ, encoded)
}

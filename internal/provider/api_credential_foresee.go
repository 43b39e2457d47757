package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// foresee notes a credential that is to be issued, so that policies which are planned
// after it may name it, and tells what access a change gives or takes away; plan is nil
// for a removal.
func (r *apiCredentialResource) foresee(ctx context.Context, prior, plan *apiCredentialModel, diags *diag.Diagnostics) {
	if !r.client.isReady() || diags.HasError() || plan != nil && plan.Name.IsUnknown() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	if plan == nil {
		r.client.warnCaller(ctx, services, prior.Name.ValueString(), nil, diags)
		return
	}
	name, isNew := plan.Name.ValueString(), prior == nil || !prior.Name.Equal(plan.Name)
	if plan.Versions.IsUnknown() {
		r.client.awaited.announce(name)
	}
	if isNew && prior != nil {
		r.client.warnCaller(ctx, services, prior.Name.ValueString(), nil, diags)
	}
	switch isKnown := isWhole(plan.Owner, plan.Tags, plan.Enabled); {
	case isNew && isKnown:
		caller := issued(plan.spec(ctx, diags))
		r.client.expectCaller(name, caller)
		r.client.warnCaller(ctx, services, name, caller, diags)
	case isNew:
		r.client.expectCaller(name, nil)
	case isKnown && isWhole(plan.Revoke, plan.ExpiresAt, plan.ValidFor):
		r.client.warnChanged(ctx, services, *plan, diags)
	}
}

// issued is a new credential as policies will see it.
func issued(spec credential.Spec) *policy.Principal {
	return &policy.Principal{Name: spec.Name, Owner: spec.Owner, Tags: spec.Tags, Versions: []policy.Standing{successor(spec, 1)}}
}

// successor is the version that a plan is going to make.
func successor(spec credential.Spec, number int) policy.Standing {
	standing := policy.Standing{Number: number}
	if !spec.Enabled {
		standing.Barred = string(credential.Suspended)
	}
	return standing
}

// warnChanged tells what access the change of a credential gives or takes away.
func (c *client) warnChanged(ctx context.Context, services *Services, plan apiCredentialModel, diags *diag.Diagnostics) {
	recorded, err := services.Credentials.Read(ctx, plan.Name.ValueString(), true)
	if err != nil { // the apply will say it, if it still is so
		return
	}
	spec := plan.spec(ctx, diags)
	is := recorded.Clone()
	is.Spec = spec
	now := services.Credentials.Now()
	for n := range spec.Revoke {
		if v := is.Versions[n]; v != nil && v.RevokedAt.IsZero() {
			v.RevokedAt = now
		}
	}
	caller := &policy.Principal{Name: spec.Name, Owner: spec.Owner, Tags: spec.Tags}
	for _, n := range is.Numbers() {
		barred, until, ending := is.Standing(is.Versions[n])
		caller.Versions = append(caller.Versions, policy.Standing{Number: n, Barred: string(barred), Until: until, Ending: string(ending)})
	}
	if plan.Version.IsUnknown() {
		caller.Versions = append(slices.Clip(caller.Versions), successor(spec, is.Counter+1))
	}
	c.warnCaller(ctx, services, spec.Name, caller, diags)
}

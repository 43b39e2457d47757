package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// foresee notes what is planned of a credential, so that policies which are planned
// after it may name it, and tells what access a change gives or takes away; plan is nil
// for a removal.
func (r *apiCredentialResource) foresee(ctx context.Context, prior, plan *apiCredentialModel, diags *diag.Diagnostics) {
	if !r.client.isReady() || diags.HasError() || plan != nil && plan.Name.IsUnknown() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	start, coming := r.client.outlooks(ctx, services, diags)
	if diags.HasError() {
		return
	}
	if prior != nil {
		r.client.manage(aCredential(prior.Name.ValueString()))
	}
	if plan == nil {
		r.foreseeRemoval(coming, prior.Name.ValueString(), diags)
		return
	}
	name, isNew := plan.Name.ValueString(), prior == nil || !prior.Name.Equal(plan.Name)
	if plan.Versions.IsUnknown() {
		r.client.awaited.announce(name)
	}
	if isNew && prior != nil {
		r.foreseeRemoval(coming, prior.Name.ValueString(), diags)
	}
	if isNew && r.client.warnTaken(diags, aCredential(name), "hsm_api_credential", start.Principal(name) != nil) {
		return
	}
	now, isKnown := services.Policies.Now(), isWhole(plan.Owner, plan.Tags, plan.Enabled)
	var caller *policy.Principal
	switch {
	case isNew && isKnown:
		caller = issued(plan.spec(ctx, diags))
		r.client.expectCaller(name, caller)
	case isNew:
		r.client.expectCaller(name, nil)
		coming.SetPrincipal(policy.Principal{Name: name}, now)
	case isKnown && isWhole(plan.Revoke, plan.ExpiresAt, plan.ValidFor):
		caller = r.revised(ctx, services, *plan, diags)
	default:
		r.client.unsure()
	}
	if caller != nil {
		r.client.warnShift(diags, aCredential(name), coming.SetPrincipal(*caller, now), nil)
		report(diags, coming.Err())
	}
}

// foreseeRemoval tells what goes with a credential, and which policies go on to name it.
func (r *apiCredentialResource) foreseeRemoval(coming *policy.Outlook, name string, diags *diag.Diagnostics) {
	r.client.warnShift(diags, aCredential(name), coming.RemovePrincipal(name, r.client.services.Policies.Now()), nil)
	report(diags, coming.Err())
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

// revised is a recorded credential as policies will see it after the change that is
// planned; nil if it is not there, which the apply will say if it still is so.
func (r *apiCredentialResource) revised(ctx context.Context, services *Services, plan apiCredentialModel, diags *diag.Diagnostics) *policy.Principal {
	recorded, err := services.Credentials.Read(ctx, plan.Name.ValueString(), true)
	if err != nil {
		return nil
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
	return caller
}

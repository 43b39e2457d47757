package provider

import (
	"context"
	"maps"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// ModifyPlan completes the plan: what the policy means, and what access it will give
// in the environment as it was when the run began. No clock decides about either.
func (r *accessPolicyResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var config, plan, prior *accessPolicyModel
	for _, each := range []struct {
		get    func(context.Context, any) diag.Diagnostics
		target **accessPolicyModel
	}{{req.Config.Get, &config}, {req.Plan.Get, &plan}, {req.State.Get, &prior}} {
		resp.Diagnostics.Append(each.get(ctx, each.target)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if plan == nil {
		r.foreseeRemoval(ctx, prior, &resp.Diagnostics)
		return
	}
	plan.ID, plan.Fingerprint, plan.EffectiveAccess = plan.Name, types.StringUnknown(), types.SetUnknown(accessType())
	plan.Cedar = config.Cedar
	if plan.isSpecified() {
		plan.setCedar(plan.spec(ctx, &resp.Diagnostics))
	} else if config.Cedar.IsNull() {
		plan.Cedar = types.StringUnknown()
	}
	if prior != nil && r.client != nil {
		r.client.manage(aPolicy(prior.Name.ValueString()))
	}
	switch {
	case prior != nil && !prior.Name.Equal(plan.Name):
		r.foreseeRemoval(ctx, prior, &resp.Diagnostics) // it is planned once more, as new
	case prior != nil && plan.means(*prior):
		plan.EffectiveAccess = prior.EffectiveAccess
	case plan.isSpecified() && isKnown(plan.Enabled):
		r.foresee(ctx, prior, plan, &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// foresee checks a policy that is new, or says something new, against the environment
// and what this run adds to it, plans the access that it will give, and tells what the
// plan does not show of that. prior is nil for a new one.
func (r *accessPolicyResource) foresee(ctx context.Context, prior, plan *accessPolicyModel, diags *diag.Diagnostics) {
	if !r.client.isReady() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	start, coming := r.client.outlooks(ctx, services, diags)
	spec := plan.spec(ctx, diags)
	if diags.HasError() {
		return
	}
	if r.check(spec, coming, diags); diags.HasError() {
		return
	}
	callers, keys, isWhole := r.client.added(policy.Names(spec))
	elsewhere := access{} // what the plan shows as a change of effective_access
	if isWhole && start.CanForesee(spec, prior == nil) {
		own := start.Foresee(spec, callers, keys)
		was := access{}
		if prior != nil {
			was = accessIn(ctx, prior.EffectiveAccess, diags)
		}
		will := was.changed(accessOf(own.Before), accessOf(own.After))
		if prior == nil {
			will = accessOf(own.After)
		}
		plan.EffectiveAccess = will.set()
		elsewhere = was.minus(will)
		maps.Copy(elsewhere, will.minus(was))
	}
	if prior == nil && r.client.warnTaken(diags, aPolicy(spec.Name), "hsm_access_policy", start.HasPolicy(spec.Name)) {
		return
	}
	r.client.warnShift(diags, aPolicy(spec.Name), coming.SetPolicy(spec, services.Policies.Now()), elsewhere)
	report(diags, coming.Err())
}

// foreseeRemoval tells what the removal of a policy does to the access that others
// give. What goes with the policy itself, the plan shows.
func (r *accessPolicyResource) foreseeRemoval(ctx context.Context, prior *accessPolicyModel, diags *diag.Diagnostics) {
	if prior == nil || !r.client.isReady() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	_, coming := r.client.outlooks(ctx, services, diags)
	if diags.HasError() {
		return
	}
	name := prior.Name.ValueString()
	r.client.warnShift(diags, aPolicy(name), coming.RemovePolicy(name, services.Policies.Now()), accessIn(ctx, prior.EffectiveAccess, diags))
	report(diags, coming.Err())
}

// check reports what is wrong, or strange, about a policy in the environment as it is
// going to be. What may be otherwise as soon as something is added is not said as long as
// not everything is known about what this run adds.
func (r *accessPolicyResource) check(spec policy.Spec, coming *policy.Outlook, diags *diag.Diagnostics) {
	isUnsure := r.client.isUnsure()
	for _, finding := range coming.Check(spec, r.client.services.Policies.Now()) {
		if !finding.IsPassing || !isUnsure {
			reportFinding(diags, spec.Name, finding)
		}
	}
}

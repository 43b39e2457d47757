package provider

import (
	"context"
	"strings"
	"time"

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
	switch {
	case prior != nil && !prior.Name.Equal(plan.Name):
		// A replacement is planned once more, as new.
	case prior != nil && plan.means(*prior):
		plan.EffectiveAccess = prior.EffectiveAccess
	case plan.isSpecified() && isKnown(plan.Enabled):
		r.foresee(ctx, prior, plan, &resp.Diagnostics)
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// foresee checks a policy that is new, or says something new, against the environment
// and what this run adds to it, and plans the access that it will give. prior is nil
// for a new one.
func (r *accessPolicyResource) foresee(ctx context.Context, prior, plan *accessPolicyModel, diags *diag.Diagnostics) {
	if !r.client.isReady() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	b := r.client.baseline(ctx, services, diags)
	spec := plan.spec(ctx, diags)
	if diags.HasError() {
		return
	}
	callers, keys := policy.Names(spec)
	world, isWhole := r.client.with(b.world, callers, keys)
	r.check(spec, b, diags)
	if diags.HasError() || !isWhole {
		return
	}
	var was, before access
	policies := revised(b.policies, spec.Name, &spec)
	after, err := through(world, policies, spec.Name, time.Time{})
	if err == nil && prior != nil {
		was = accessIn(ctx, prior.EffectiveAccess, diags)
		before, err = through(b.world, b.policies, spec.Name, time.Time{})
	}
	if err != nil {
		report(diags, err)
		return
	}
	plan.EffectiveAccess = was.changed(before, after).set()
	r.client.warnOthers(diags, spec.Name, world, b.policies, policies)
}

// foreseeRemoval tells what the removal of a policy does to the access that others
// give. What goes with the policy itself, the plan shows.
func (r *accessPolicyResource) foreseeRemoval(ctx context.Context, prior *accessPolicyModel, diags *diag.Diagnostics) {
	if prior == nil || !r.client.isReady() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	if b, name := r.client.baseline(ctx, services, diags), prior.Name.ValueString(); b != nil {
		r.client.warnOthers(diags, name, b.world, b.policies, revised(b.policies, name, nil))
	}
}

// check reports what is wrong, or strange, about a policy in the environment as it is
// going to be. Whom an owner or a tag stands for is not asked as long as not everything
// is known about those who may have it.
func (r *accessPolicyResource) check(spec policy.Spec, b *baseline, diags *diag.Diagnostics) {
	callers, keys := r.client.expected()
	world, isWhole := r.client.with(b.world, callers, keys)
	for _, finding := range policy.Check(spec, world, revised(b.policies, spec.Name, nil)) {
		isGroup := strings.HasPrefix(finding.At.Element, "owner:") || strings.HasPrefix(finding.At.Element, "tag:")
		if finding.Severity == policy.Mistake || isWhole || !isGroup {
			reportFinding(diags, finding)
		}
	}
}

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/certrequest"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// ModifyPlan makes the request anew when it asks for something else, or when the last
// refresh found another current version; and refuses keys that cannot sign one.
func (r *certificateRequestResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return // forgetting is always possible
	}
	var config, plan certificateRequestModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	var prior *certificateRequestModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if prior != nil && plan.asks(*prior) && !prior.RenewalDue.ValueBool() &&
		(config.Version.IsNull() || config.Version.Equal(prior.Version)) && (config.Algorithm.IsNull() || config.Algorithm.Equal(prior.Algorithm)) {
		plan.ID, plan.PEM, plan.RenewalDue, plan.Version, plan.Algorithm = prior.ID, prior.PEM, prior.RenewalDue, prior.Version, prior.Algorithm
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
		return
	}
	plan.ID, plan.PEM, plan.RenewalDue = config.KeyID, types.StringUnknown(), types.BoolUnknown()
	plan.Version, plan.Algorithm = config.Version, config.Algorithm
	leaveOpenSigner(&plan.Version, &plan.Algorithm)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	r.check(ctx, config, &resp.Diagnostics)
}

// check refuses a key that cannot sign the request, as far as that is known.
func (r *certificateRequestResource) check(ctx context.Context, config certificateRequestModel, diags *diag.Diagnostics) {
	if !r.client.isReady() || config.KeyID.IsUnknown() || config.Algorithm.IsUnknown() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	name, wanted := config.KeyID.ValueString(), keyring.Scheme(config.Algorithm.ValueString())
	v, _, err := services.Keys.Signer(ctx, name, wanted, false)
	if err == nil {
		report(diags, certrequest.CheckAlgorithm(v.Algorithm), path.Root("key_id"))
		return
	}
	if planned, isPlanned := r.client.planned(name); isRefusal(err) && isPlanned {
		if planned == nil { // not everything is known of it yet
			return
		}
		if err = certrequest.CheckAlgorithm(planned.Spec.Algorithm); err == nil {
			_, err = lifecycle.SignerOf(planned, wanted, false)
		}
	}
	report(diags, err, path.Root("key_id"))
}

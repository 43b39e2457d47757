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
	keep := func() {
		plan.ID, plan.PEM, plan.RenewalDue, plan.Version, plan.Algorithm = prior.ID, prior.PEM, prior.RenewalDue, prior.Version, prior.Algorithm
		resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	}
	isSame := prior != nil && plan.asks(*prior) && (config.Algorithm.IsNull() || config.Algorithm.Equal(prior.Algorithm))
	if isSame && !prior.RenewalDue.ValueBool() && (config.Version.IsNull() || config.Version.Equal(prior.Version)) {
		keep()
		return
	}
	obstacle := r.check(ctx, config, &resp.Diagnostics)
	if isSame && isRefusal(obstacle) { // only another version is to sign, and cannot yet: what was made stays
		keep()
		return
	}
	report(&resp.Diagnostics, obstacle, path.Root("key_id"))
	plan.ID, plan.PEM, plan.RenewalDue = types.StringUnknown(), types.StringUnknown(), types.BoolUnknown()
	plan.Version, plan.Algorithm = config.Version, config.Algorithm
	leaveOpenSigner(&plan.Version, &plan.Algorithm)
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// check tells why the key could not sign the request when it comes to it, as far as that is
// known. A version that is not the current one it reports itself.
func (r *certificateRequestResource) check(ctx context.Context, config certificateRequestModel, diags *diag.Diagnostics) error {
	if !r.client.isReady() || config.KeyID.IsUnknown() || config.Algorithm.IsUnknown() {
		return nil
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	name := config.KeyID.ValueString()
	recorded, err := services.Keys.Recorded(ctx, name)
	if err == nil {
		var v *keyring.Version
		if v, err = config.signer(recorded); err == nil {
			report(diags, expects(name, config.Version, v), path.Root("version"))
		}
	}
	planned, isPlanned := r.client.planned(name)
	switch {
	case isPlanned && planned == nil && (err == nil || isRefusal(err)):
		return nil // not everything is known of it yet
	case isPlanned && err == nil: // it could now
		_, _, err = lifecycle.NextSignerOf(planned, "", false)
	case isPlanned && isRefusal(err):
		_, err = config.signer(planned)
	}
	return err
}

// signer returns the version of a key that is to sign the request. One whose number is not
// known yet a rotation is going to make.
func (m certificateRequestModel) signer(k *keyring.Key) (*keyring.Version, error) {
	signerOf := lifecycle.SignerOf
	if m.Version.IsUnknown() {
		signerOf = lifecycle.NextSignerOf
	}
	v, _, err := signerOf(k, keyring.Scheme(m.Algorithm.ValueString()), false)
	if err != nil {
		return nil, err
	}
	return v, certrequest.CheckAlgorithm(v.Algorithm)
}

package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
)

// ModifyPlan completes the plan from state and configuration alone: whether a rotation
// is due was decided when the state was read. Then it asks whether the token could do
// what is planned, and tells what access it changes.
func (r *apiCredentialResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var plan, prior *apiCredentialModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	if plan == nil {
		if prior != nil {
			r.foresee(ctx, prior, nil, &resp.Diagnostics)
		}
		return
	}
	if prior == nil || !plan.Name.Equal(prior.Name) || !plan.Type.Equal(prior.Type) {
		plan.leaveOpen()
	} else {
		c := credentialChange{ctx: ctx, prior: *prior, plan: plan, diags: &resp.Diagnostics}
		c.complete()
		c.refuse()
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if !resp.Diagnostics.HasError() && (prior == nil || !resp.Plan.Raw.Equal(req.State.Raw)) {
		r.check(ctx, prior, *plan, &resp.Diagnostics)
		r.foresee(ctx, prior, plan, &resp.Diagnostics)
	}
}

// credentialChange is the step from a prior state to what is planned in its place.
type credentialChange struct {
	ctx   context.Context
	prior apiCredentialModel
	plan  *apiCredentialModel
	diags *diag.Diagnostics
}

// complete keeps the computed attributes and opens those that the update will change.
func (c credentialChange) complete() {
	c.plan.keep(c.prior)
	if c.isRotation() {
		c.plan.leaveOpen()
		return
	}
	if !c.plan.Recipients.Equal(c.prior.Recipients) {
		c.plan.SealedSecret = c.plan.sealed()
	}
	if c.isOtherStanding() {
		c.plan.Versions, c.plan.RotationDue = types.MapUnknown(credentialVersionType()), types.BoolUnknown()
	}
	if c.isOtherDuration(c.prior.RotateEvery, c.plan.RotateEvery) {
		c.plan.RotateAt, c.plan.RotationDue = c.rotateAt(), types.BoolUnknown()
	}
}

// isRotation reports whether the update will make a new version, or may, as far as a
// plan can tell.
func (c credentialChange) isRotation() bool {
	if c.isOtherKey() || !c.plan.Algorithm.Equal(c.prior.Algorithm) {
		return true
	}
	if c.plan.Type.ValueString() != string(credential.SharedSecret) {
		return false // only the caller can make another key
	}
	isDue := c.prior.RotationDue.ValueBool() && (c.plan.Enabled.IsUnknown() || c.plan.Enabled.ValueBool())
	return isDue || c.isTriggered() || c.isNewestRevoked()
}

// isOtherKey reports whether the public key changes, and not only how it is written.
func (c credentialChange) isOtherKey() bool {
	was, is := c.prior.PublicKey, c.plan.PublicKey
	if is.IsUnknown() || was.Equal(is) {
		return is.IsUnknown()
	}
	before, _, errBefore := credential.ParsePublicKey(was.ValueString())
	after, _, errAfter := credential.ParsePublicKey(is.ValueString())
	return errBefore != nil || errAfter != nil || !slices.Equal(before, after)
}

// isTriggered reports whether a watched value changes. That watching begins or ends is
// no change of a value.
func (c credentialChange) isTriggered() bool {
	was, is := c.prior.RotateWhenChanged, c.plan.RotateWhenChanged
	return !was.IsNull() && !is.IsNull() && !was.Equal(is)
}

func (c credentialChange) isNewestRevoked() bool {
	return !isWhole(c.plan.Revoke) || slices.Contains(c.newlyRevoked(), int(c.prior.Version.ValueInt64()))
}

// newlyRevoked lists the versions that the plan revokes and the state does not.
func (c credentialChange) newlyRevoked() []int {
	was, is := c.prior.revoked(c.ctx, c.diags), c.plan.revoked(c.ctx, c.diags)
	var numbers []int
	for n := range is {
		if _, before := was[n]; !before {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// isOtherStanding reports whether it changes which versions are accepted, or until when.
func (c credentialChange) isOtherStanding() bool {
	if !c.plan.Enabled.Equal(c.prior.Enabled) || !isWhole(c.plan.Revoke) || len(c.newlyRevoked()) > 0 {
		return true
	}
	until := c.plan.ExpiresAt
	return until.IsUnknown() || !momentOf(until, c.diags).Equal(momentOf(c.prior.ExpiresAt, c.diags)) ||
		c.isOtherDuration(c.prior.ValidFor, c.plan.ValidFor)
}

// isOtherDuration reports whether a duration changes, and not only how it is written.
func (c credentialChange) isOtherDuration(was, is types.String) bool {
	return is.IsUnknown() || durationOf(is, c.diags) != durationOf(was, c.diags)
}

// rotateAt is credential.Credential.RotateAt in terms of a plan.
func (c credentialChange) rotateAt() types.String {
	newest := storedCredentialVersions(c.ctx, c.prior.Versions, c.diags)[c.prior.Version.String()]
	return rotateAt(newest.CreatedAt, c.plan.RotateEvery, c.diags)
}

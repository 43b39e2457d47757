package provider

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/rotation"
)

// ModifyPlan is a function of state and configuration: whether something is due
// was decided when the state was read. A clock in here would break saved plans.
func (r *keyRotationResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return // letting go of a key is always possible
	}
	if req.State.Raw.IsNull() {
		r.guard(ctx, &resp.Diagnostics)
		// Every other computed attribute is unknown already.
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("superseded"), false)...)
		return
	}
	var plan, prior keyRotationModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	if resp.Diagnostics.HasError() {
		return
	}
	c := rotationChange{ctx: ctx, prior: prior, plan: &plan, diags: &resp.Diagnostics}
	switch {
	case !plan.KeyID.Equal(prior.KeyID):
	case prior.Superseded.ValueBool():
		c.refuseSuperseded(r.inCharge(ctx, prior, &resp.Diagnostics))
	default:
		c.refuse()
	}
	r.client.noteRefusals(ctx, &resp.Diagnostics)
	if resp.RequiresReplace = c.replacement(); len(resp.RequiresReplace) > 0 || !plan.KeyID.Equal(prior.KeyID) {
		plan.leaveOpen()
	} else {
		plan.keep(prior)
		c.update()
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
}

// guard refuses the wrong environment at plan. The token has been asked already
// where there is a state, by Read.
func (r *keyRotationResource) guard(ctx context.Context, diags *diag.Diagnostics) {
	if !r.client.isReady() {
		return
	}
	if ctx, services := r.client.begin(ctx, diags); services != nil {
		defer r.client.finish(diags)
		report(diags, services.Keys.Guard(ctx))
	}
}

// rotationChange is the step from a prior state to what is planned.
type rotationChange struct {
	ctx   context.Context
	prior keyRotationModel
	plan  *keyRotationModel
	diags *diag.Diagnostics
}

// replacement lists the attributes because of which the instance has to be
// replaced, that is, the key rotated.
func (c rotationChange) replacement() (because path.Paths) {
	if c.prior.Superseded.ValueBool() {
		return nil // another instance decides
	}
	if !c.plan.PinnedVersion.IsNull() {
		return nil // pinned is pinned
	}
	if c.isTriggered() {
		because.Append(path.Root("rotate_when_changed"))
	}
	if c.prior.RotationDue.ValueBool() {
		// Unknown, and so different from the state: rotate_at even from null.
		because.Append(path.Root("rotate_at"), path.Root("rotation_due"))
	}
	if c.isRevoked(c.prior.Version) || c.isWaitingRevoked() {
		because.Append(path.Root("revoke"))
	}
	return because
}

// isTriggered reports whether a watched value changes. That watching begins or
// ends is no change of a value.
func (c rotationChange) isTriggered() bool {
	was, is := c.prior.RotateWhenChanged, c.plan.RotateWhenChanged
	return !was.IsNull() && !is.IsNull() && !was.Equal(is)
}

// isRevoked reports whether the plan newly revokes a version.
func (c rotationChange) isRevoked(version types.Int64) bool {
	return c.isNewlyRevoked(int(version.ValueInt64())) // 0, which is no version, for null
}

// isWaitingRevoked reports whether the plan newly revokes a version that waits for
// its activation: another one has to take its place.
func (c rotationChange) isWaitingRevoked() bool {
	for number, v := range storedVersions(c.ctx, c.prior.Versions, c.diags) {
		n, err := strconv.Atoi(number)
		if err == nil && v.State.ValueString() == string(keyring.PreActivation) && c.isNewlyRevoked(n) {
			return true
		}
	}
	return false
}

func (c rotationChange) isNewlyRevoked(n int) bool {
	_, was := c.prior.revoked(c.ctx, c.diags)[n]
	_, is := c.plan.revoked(c.ctx, c.diags)[n]
	return is && !was
}

// update opens, in a plan that has kept everything, what the update will change.
func (c rotationChange) update() {
	if c.prior.Superseded.ValueBool() {
		return // nothing; it only remembers the schedule as it is written
	}
	if len(c.prior.PendingTransitions.Elements()) > 0 {
		c.plan.PendingTransitions = noTransitions()
		steps := transitions(c.prior, c.diags)
		isTouched := func(number string) bool {
			return slices.ContainsFunc(steps, func(s rotation.Step) bool { return strconv.Itoa(s.Version) == number })
		}
		c.plan.Versions = openVersions(c.prior.Versions, isTouched, "state", "enforcement", "deactivated_at", "process_until", "destroyed_at")
		for _, step := range steps {
			if step.Verb == rotation.Activate || step.Verb == rotation.Recover {
				c.plan.openVersions()
			}
		}
	}
	if !c.plan.Revoke.Equal(c.prior.Revoke) || !c.plan.PinnedVersion.Equal(c.prior.PinnedVersion) {
		c.plan.openVersions()
	}
	if c.isRescheduled() {
		c.plan.RotationDue = types.BoolUnknown()
		c.plan.RotateAt = rotateAt(c.plan.RotatedAt, c.plan.RotateEvery, c.diags)
	}
}

// isRescheduled reports whether the period changes, and not only how it is written.
func (c rotationChange) isRescheduled() bool {
	return c.plan.RotateEvery.IsUnknown() || durationOf(c.plan.RotateEvery, c.diags) != durationOf(c.prior.RotateEvery, c.diags)
}

// rotateAt is rotation.Schedule.RotateAt in terms of a plan.
func rotateAt(rotatedAt, every types.String, diags *diag.Diagnostics) types.String {
	if every.IsNull() {
		return types.StringNull()
	}
	since, err := time.Parse(time.RFC3339, rotatedAt.ValueString())
	if err != nil || every.IsUnknown() { // rotated_at may be open
		return types.StringUnknown()
	}
	return timestamp(since.Add(durationOf(every, diags)))
}

// transitions reads back the steps which a state lists as due.
func transitions(m keyRotationModel, diags *diag.Diagnostics) []rotation.Step {
	var steps []rotation.Step
	for _, element := range m.PendingTransitions.Elements() {
		written, _ := element.(types.String)
		step, err := rotation.ParseStep(written.ValueString())
		report(diags, err)
		if err == nil {
			steps = append(steps, step)
		}
	}
	return steps
}

// keep takes every computed attribute from the prior state.
func (m *keyRotationModel) keep(prior keyRotationModel) {
	m.ID, m.Version, m.PreviousVersion = prior.ID, prior.Version, prior.PreviousVersion
	m.RotatedAt, m.RotateAt, m.RotationDue = prior.RotatedAt, prior.RotateAt, prior.RotationDue
	m.PendingTransitions, m.Superseded = prior.PendingTransitions, prior.Superseded
	m.PublicKeyPEM, m.PublicKeyJWK, m.TrustedPublicKeys, m.JWKS = prior.PublicKeyPEM, prior.PublicKeyJWK, prior.TrustedPublicKeys, prior.JWKS
	m.Versions = prior.Versions
}

// openVersions marks as known only after apply what depends on the versions' states.
func (m *keyRotationModel) openVersions() {
	m.Version, m.PreviousVersion = types.Int64Unknown(), types.Int64Unknown()
	m.RotatedAt, m.RotateAt, m.RotationDue = types.StringUnknown(), types.StringUnknown(), types.BoolUnknown()
	m.PublicKeyPEM, m.PublicKeyJWK, m.JWKS = types.StringUnknown(), types.StringUnknown(), types.StringUnknown()
	m.TrustedPublicKeys, m.Versions = types.MapUnknown(types.StringType), types.MapUnknown(versionType())
}

// leaveOpen marks every computed attribute as known only after apply, but for what is
// certain: a new instance is in charge. Which version it makes or takes over, and whether
// the next is due already, is found on the token.
func (m *keyRotationModel) leaveOpen() {
	m.openVersions()
	m.ID, m.Superseded, m.PendingTransitions = types.StringUnknown(), types.BoolValue(false), types.ListUnknown(types.StringType)
}

// settle completes a plan: what was planned stays word for word, and what was
// left open is taken from the key as it is now.
func (m keyRotationModel) settle(now keyRotationModel) keyRotationModel {
	settle(&m.ID, now.ID)
	settle(&m.Version, now.Version)
	settle(&m.PreviousVersion, now.PreviousVersion)
	settle(&m.RotatedAt, now.RotatedAt)
	settle(&m.RotateAt, now.RotateAt)
	settle(&m.RotationDue, now.RotationDue)
	settle(&m.PendingTransitions, now.PendingTransitions)
	settle(&m.Superseded, now.Superseded)
	settle(&m.PublicKeyPEM, now.PublicKeyPEM)
	settle(&m.PublicKeyJWK, now.PublicKeyJWK)
	settle(&m.TrustedPublicKeys, now.TrustedPublicKeys)
	settle(&m.JWKS, now.JWKS)
	settleVersions(&m.Versions, now.Versions)
	return m
}

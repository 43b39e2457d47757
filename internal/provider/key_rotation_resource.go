package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// keyRotationResource is hsm_key_rotation: one instance per version, rotation by
// replacement.
type keyRotationResource struct{ client *client }

var (
	_ resource.ResourceWithConfigure      = (*keyRotationResource)(nil)
	_ resource.ResourceWithIdentity       = (*keyRotationResource)(nil)
	_ resource.ResourceWithImportState    = (*keyRotationResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*keyRotationResource)(nil)
	_ resource.ResourceWithValidateConfig = (*keyRotationResource)(nil)
)

func (r *keyRotationResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName + "_key_rotation"
	resp.ResourceBehavior.MutableIdentity = true // it is completed later if the environment is not known yet
}

// IdentitySchema is what the resource is known by outside of any one state.
func (r *keyRotationResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identitySchema(byKeyID, "Id of the key that is rotated.")
}

func (r *keyRotationResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig finds arguments that contradict each other.
func (r *keyRotationResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m keyRotationModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	var unparsable diag.Diagnostics // said by the attributes' own validators
	delay, every := durationOf(m.ActivationDelay, &unparsable), durationOf(m.RotateEvery, &unparsable)
	if every > 0 && delay >= every {
		resp.Diagnostics.AddAttributeError(path.Root("activation_delay"), "The activation delay is too long",
			fmt.Sprintf("With activation_delay = %q and rotate_every = %q a version would be due for replacement before it was ever used.\n\n"+
				"Make the delay shorter than the period.", m.ActivationDelay.ValueString(), m.RotateEvery.ValueString()))
	}
	if _, revoked := m.revoked(ctx, &unparsable)[int(m.PinnedVersion.ValueInt64())]; revoked && !m.PinnedVersion.IsNull() {
		resp.Diagnostics.AddAttributeError(path.Root("pinned_version"), "A revoked version cannot be pinned",
			fmt.Sprintf("Version %d is listed in revoke.\n\nPin another version, or none.", m.PinnedVersion.ValueInt64()))
	}
}

// Create rotates the key, or takes over the version that is there. What it
// replaces it finds on the token: Terraform tells it nothing of a predecessor.
func (r *keyRotationResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan keyRotationModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	schedule := plan.schedule(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	token, err := r.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "rotating key", map[string]any{"key": plan.KeyID.ValueString()})
	key, instance, err := services.Keys.Rotate(ctx, plan.KeyID.ValueString(), schedule)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := plan
	now.observe(ctx, key, instance, token, services.Keys.Now(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byKeyID, &resp.Diagnostics)
	remember(ctx, services.Keys, key.Spec.Name, resp.Private, &resp.Diagnostics)
	r.client.warnUnattested(&resp.Diagnostics, key)
	if !plan.PinnedVersion.IsNull() {
		resp.Diagnostics.AddAttributeWarning(path.Root("pinned_version"), "Nothing was rotated: a version is pinned",
			fmt.Sprintf("Key %q stays with version %d. While pinned_version is set, neither -replace nor a new instance makes a new version.\n\n"+
				"To rotate, take pinned_version away, and use -replace if nothing is due by itself.", key.Spec.Name, plan.PinnedVersion.ValueInt64()))
	}
}

// Read is the only place with a clock: it decides what is due, and the plan
// follows from what it says.
func (r *keyRotationResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	r.client.identify(ctx, req.State, resp.Identity, byKeyID, &resp.Diagnostics)
	if !r.client.isReady() {
		return
	}
	var now keyRotationModel
	resp.Diagnostics.Append(req.State.Get(ctx, &now)...)
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	name, instance := now.instance(&resp.Diagnostics)
	remembered := known(ctx, now.Versions, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	if err := follows(ctx, services.Keys, name, req.Private, &resp.Diagnostics); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	key, err := services.Keys.Read(ctx, name, remembered)
	if fault.Is(err, fault.NotFound) {
		gone(&resp.Diagnostics, err)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	r.show(ctx, &now, key, instance, services.Keys.Now(), &resp.State, &resp.Diagnostics)
	if !has(ctx, req.Private, seenRecord, &resp.Diagnostics) {
		remember(ctx, services.Keys, name, resp.Private, &resp.Diagnostics)
	}
	if now.Superseded.ValueBool() {
		warnSuperseded(key, instance, &resp.Diagnostics)
	}
}

// Update changes the schedule and performs exactly the transitions that the plan
// was made for. On an error the prior state stays.
func (r *keyRotationResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, prior keyRotationModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	schedule := plan.schedule(ctx, &resp.Diagnostics)
	name, instance := prior.instance(&resp.Diagnostics)
	steps := transitions(prior, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	token, err := r.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "advancing rotation", map[string]any{"rotation": prior.ID.ValueString(), "transitions": steps})
	key, err := services.Keys.Advance(ctx, name, instance, schedule, steps)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := plan
	now.observe(ctx, key, instance, token, services.Keys.Now(), &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byKeyID, &resp.Diagnostics)
	remember(ctx, services.Keys, name, resp.Private, &resp.Diagnostics)
}

// Delete lets go of the key. It destroys nothing: it may come before the
// successor's Create, after it, or never.
func (r *keyRotationResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var prior keyRotationModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	name, instance := prior.instance(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	tflog.Debug(ctx, "releasing rotation", map[string]any{"rotation": prior.ID.ValueString()})
	report(&resp.Diagnostics, services.Keys.Release(ctx, name, instance))
}

// ImportState takes the key's name, or the id of an instance, whose number is passed
// over: which instance is in charge says the token. The arguments come back as they were last
// applied, if the key was rotated before, so that the plan after it has nothing to add.
func (r *keyRotationResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	id := r.client.asked(ctx, req, byKeyID, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	key, instance, err := services.Keys.Claim(ctx, keyOf(id))
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := keyRotationModel{KeyID: types.StringValue(key.Spec.Name)}
	var declared keyring.Declaration
	if key.Rotation != nil {
		declared = key.Rotation.Declared
	}
	now.declare(ctx, declared, &resp.Diagnostics)
	r.show(ctx, &now, key, instance, services.Keys.Now(), &resp.State, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() {
		r.client.identify(ctx, resp.State, resp.Identity, byKeyID, &resp.Diagnostics)
	}
	r.client.noteImport(ctx, "key/"+key.Spec.Name, "its rotation", &resp.Diagnostics)
}

// keyOf reads the key's name out of what is imported, KEY or KEY/NUMBER.
func keyOf(id string) string {
	if key, number, ok := strings.Cut(id, "/"); ok {
		if _, err := strconv.Atoi(number); err == nil {
			return key
		}
	}
	return id
}

// state is what show writes to.
type state interface {
	Set(ctx context.Context, value any) diag.Diagnostics
}

// show completes a model with what the key is now, and stores it.
func (r *keyRotationResource) show(ctx context.Context, now *keyRotationModel, key *keyring.Key, instance int, at time.Time, to state, diags *diag.Diagnostics) {
	token, err := r.client.identity(ctx)
	if err != nil {
		report(diags, err)
		return
	}
	now.observe(ctx, key, instance, token, at, diags)
	if !diags.HasError() {
		diags.Append(to.Set(ctx, now)...)
	}
}

func warnSuperseded(key *keyring.Key, instance int, diags *diag.Diagnostics) {
	diags.AddWarning("Another rotation is in charge of the key",
		fmt.Sprintf("Key %q is rotated by %s; the instance %s is superseded, and neither rotates nor changes the key any more.\n\n"+
			"An instance that a replacement left behind (deposed) goes with this apply, and nothing is to be done. %s Two of them for one key take it from each other: remove one.",
			key.Spec.Name, instanceID(key.Spec.Name, key.Rotation.Instance), instanceID(key.Spec.Name, instance), takeCharge(key.Spec.Name)))
}

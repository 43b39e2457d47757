package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// keyResource is hsm_key.
type keyResource struct{ client *client }

var (
	_ resource.ResourceWithConfigure      = (*keyResource)(nil)
	_ resource.ResourceWithIdentity       = (*keyResource)(nil)
	_ resource.ResourceWithImportState    = (*keyResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*keyResource)(nil)
	_ resource.ResourceWithValidateConfig = (*keyResource)(nil)
)

func (r *keyResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName + "_key"
	resp.ResourceBehavior.MutableIdentity = true // it is completed later if the environment is not known yet
}

// IdentitySchema is what the resource is known by outside of any one state.
func (r *keyResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identitySchema(byName, "Name of the key.")
}

func (r *keyResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig finds what no token could satisfy, without asking one.
func (r *keyResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m keyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() || !isWhole(m.Algorithm, m.Operations) {
		return
	}
	var said diag.Diagnostics // by the attributes' own validators
	spec := m.spec(ctx, &said)
	spec.Name, spec.AllowedMechanisms, spec.OnDestroy = "any", nil, keyring.DestroyDisables
	if _, err := keyring.ParseAlgorithm(string(spec.Algorithm)); err != nil || said.HasError() {
		return
	}
	if m.Operations.IsNull() {
		spec.Operations = spec.Algorithm.DefaultOperations()
	}
	declared := spec.Import
	spec.Import = nil
	if err := spec.Validate(); err != nil || declared == nil || declared.Mechanism.Family() == 0 { // said by its own validator
		report(&resp.Diagnostics, err, path.Root("operations"))
		return
	}
	if spec.Import = declared; keyring.ValidateName(m.Name.ValueString()) == nil {
		spec.Name = m.Name.ValueString()
	}
	report(&resp.Diagnostics, spec.Validate(), path.Root("import"))
}

// Create makes the key. An error never comes with a state: Terraform would taint
// the resource, and the next apply would destroy the key.
func (r *keyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan keyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	token, err := r.client.identity(ctx) // before the key: afterwards its failure would lose the state
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "creating key", map[string]any{"key": spec.Name, "algorithm": string(spec.Algorithm)})
	key, err := r.make(ctx, services.Keys, spec, materialIn(ctx, req.Config, &resp.Diagnostics))
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newKeyModel(ctx, key, token, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Keys, spec.Name, resp.Private, &resp.Diagnostics)
	r.client.warnUnattested(&resp.Diagnostics, key)
	r.client.warnCautions(&resp.Diagnostics, token)
}

// make has the key generated, or takes its material in.
func (r *keyResource) make(ctx context.Context, keys *lifecycle.Service, spec keyring.Spec, material []byte) (*keyring.Key, error) {
	if spec.Import == nil {
		return keys.Create(ctx, spec)
	}
	return keys.Bring(ctx, spec, material)
}

// Read removes the key from the state only when it is gone conclusively. Whatever
// else fails is an error, and the state stays.
func (r *keyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	r.client.identify(ctx, req.State, resp.Identity, byName, &resp.Diagnostics)
	if !r.client.isReady() {
		return
	}
	var prior keyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	remembered := known(ctx, prior.Versions, &resp.Diagnostics)
	remembered.Imported = has(ctx, req.Private, imported, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	if err := follows(ctx, services.Keys, prior.ID.ValueString(), req.Private, &resp.Diagnostics); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	key, err := services.Keys.Read(ctx, prior.ID.ValueString(), remembered)
	if fault.Is(err, fault.NotFound) {
		gone(&resp.Diagnostics, err)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	token, err := r.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newKeyModel(ctx, key, token, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.client.manage(aKey(key.Spec.Name))
	now.likeWritten(prior)
	resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	if !has(ctx, req.Private, seenRecord, &resp.Diagnostics) {
		remember(ctx, services.Keys, prior.ID.ValueString(), resp.Private, &resp.Diagnostics)
	}
	if remembered.Imported && key.Tombstone == nil { // somebody else has restored it
		resp.Diagnostics.Append(resp.Private.SetKey(ctx, imported, nil)...)
	}
}

// Update changes what is asked of the key and puts right what has drifted. On an
// error the prior state stays.
func (r *keyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan, prior keyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	material := materialIn(ctx, req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	token, err := r.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "updating key", map[string]any{"key": spec.Name})
	restores, renews := has(ctx, req.Private, imported, &resp.Diagnostics), takesIn(prior.Import, plan.Import)
	var key *keyring.Key
	switch {
	case restores:
		before := spec
		if renews { // first what there was
			before.Import = importOf(ctx, prior.Import, &resp.Diagnostics)
		}
		key, err = services.Keys.Restore(ctx, before)
	case !renews:
		key, err = services.Keys.Update(ctx, spec)
	}
	if err == nil && renews {
		key, err = services.Keys.Renew(ctx, spec, material)
	}
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newKeyModel(ctx, key, token, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Keys, spec.Name, resp.Private, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, imported, nil)...)
}

// Delete removes the key as its record says. A key that is gone already is no error.
func (r *keyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var prior keyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	r.client.manage(aKey(prior.ID.ValueString()))
	tflog.Debug(ctx, "removing key", map[string]any{"key": prior.ID.ValueString()})
	if err := services.Keys.Destroy(ctx, prior.ID.ValueString()); !fault.Is(err, fault.NotFound) {
		report(&resp.Diagnostics, err)
	}
}

// privateState is the part of the private state that is read here.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

// has reports whether the private state has an entry.
func has(ctx context.Context, private privateState, key string, diags *diag.Diagnostics) bool {
	value, more := private.GetKey(ctx, key)
	diags.Append(more...)
	return len(value) > 0
}

package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// apiCredentialResource is hsm_api_credential.
type apiCredentialResource struct{ client *client }

var (
	_ resource.ResourceWithConfigure      = (*apiCredentialResource)(nil)
	_ resource.ResourceWithIdentity       = (*apiCredentialResource)(nil)
	_ resource.ResourceWithImportState    = (*apiCredentialResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*apiCredentialResource)(nil)
	_ resource.ResourceWithValidateConfig = (*apiCredentialResource)(nil)
)

func (r *apiCredentialResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName + "_api_credential"
	resp.ResourceBehavior.MutableIdentity = true // it is completed later if the environment is not known yet
}

// IdentitySchema is what the resource is known by outside of any one state.
func (r *apiCredentialResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identitySchema(byName, "Name of the credential.")
}

func (r *apiCredentialResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

// Create issues the credential. An error never comes with a state: Terraform would
// taint the resource, and the next apply would revoke the credential.
func (r *apiCredentialResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan apiCredentialModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	tflog.Debug(ctx, "issuing credential", map[string]any{"credential": spec.Name, "type": string(spec.Type)})
	c, err := services.Credentials.Create(ctx, spec)
	if err != nil {
		plan.report(&resp.Diagnostics, err)
		return
	}
	now := newAPICredentialModel(ctx, c, services, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.client.awaited.arrived(spec.Name)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Credentials, spec.Name, resp.Private, &resp.Diagnostics)
}

// Read is the only place with a clock: it says what has become of the versions, and
// whether a rotation is due. It removes the credential from the state only when it is
// gone conclusively.
func (r *apiCredentialResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	r.client.identify(ctx, req.State, resp.Identity, byName, &resp.Diagnostics)
	if !r.client.isReady() {
		return
	}
	var prior apiCredentialModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	if err := follows(ctx, services.Credentials, prior.ID.ValueString(), req.Private, &resp.Diagnostics); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	c, err := services.Credentials.Read(ctx, prior.ID.ValueString(), true)
	if fault.Is(err, fault.NotFound) {
		gone(&resp.Diagnostics, err)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newAPICredentialModel(ctx, c, services, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.client.manage(aCredential(c.Spec.Name))
	now.likeWritten(prior)
	resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	if !has(ctx, req.Private, seenRecord, &resp.Diagnostics) {
		remember(ctx, services.Credentials, prior.ID.ValueString(), resp.Private, &resp.Diagnostics)
	}
}

// Update changes what is asked of the credential, and makes a new version if the plan
// has left open which is the newest. On an error the prior state stays.
func (r *apiCredentialResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan apiCredentialModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	rotate := plan.Version.IsUnknown()
	tflog.Debug(ctx, "updating credential", map[string]any{"credential": spec.Name, "rotate": rotate})
	c, err := services.Credentials.Update(ctx, spec, rotate)
	if err != nil {
		plan.report(&resp.Diagnostics, err)
		return
	}
	now := newAPICredentialModel(ctx, c, services, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	r.client.awaited.arrived(spec.Name)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(now))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Credentials, spec.Name, resp.Private, &resp.Diagnostics)
}

// Delete revokes every version of the credential.
func (r *apiCredentialResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var prior apiCredentialModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	r.client.manage(aCredential(prior.ID.ValueString()))
	tflog.Debug(ctx, "revoking credential", map[string]any{"credential": prior.ID.ValueString()})
	report(&resp.Diagnostics, services.Credentials.Destroy(ctx, prior.ID.ValueString()))
}

// ImportState takes the credential's name. The arguments come back as they were last
// applied, so that the plan after it has nothing to add.
func (r *apiCredentialResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	id := r.client.asked(ctx, req, byName, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	c, err := services.Credentials.Read(ctx, id, false)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newAPICredentialModel(ctx, c, services, &resp.Diagnostics)
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
		r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	}
	r.client.noteImport(ctx, "credential/"+c.Spec.Name, "", &resp.Diagnostics)
}

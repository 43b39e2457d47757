package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// accessPolicyResource is hsm_access_policy.
type accessPolicyResource struct{ client *client }

var (
	_ resource.ResourceWithConfigure      = (*accessPolicyResource)(nil)
	_ resource.ResourceWithIdentity       = (*accessPolicyResource)(nil)
	_ resource.ResourceWithImportState    = (*accessPolicyResource)(nil)
	_ resource.ResourceWithModifyPlan     = (*accessPolicyResource)(nil)
	_ resource.ResourceWithValidateConfig = (*accessPolicyResource)(nil)
)

func (r *accessPolicyResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = typeName + "_access_policy"
	resp.ResourceBehavior.MutableIdentity = true // it is completed later if the environment is not known yet
}

// IdentitySchema is what the resource is known by outside of any one state.
func (r *accessPolicyResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identitySchema(byName, "Name of the policy.")
}

func (r *accessPolicyResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

// ValidateConfig finds what is wrong with a policy by itself, as far as it is known.
func (r *accessPolicyResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m accessPolicyModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	spec := m.spec(ctx, &resp.Diagnostics)
	spec.Cedar = m.Cedar.ValueString() // beside statements too, which is a mistake
	_, mistakes := policy.Compile(spec)
	for _, finding := range mistakes {
		if m.isSettledAt(finding.At) {
			reportFinding(&resp.Diagnostics, spec.Name, finding)
		}
	}
}

// Create records the policy. An error never comes with a state: Terraform would taint
// the resource, and the next apply would remove the policy.
func (r *accessPolicyResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan accessPolicyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	if err := plan.openAccess(ctx, r.client, services, spec); err != nil { // before the policy: afterwards its failure would lose the state
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "creating access policy", map[string]any{"policy": spec.Name})
	p, err := services.Policies.Create(ctx, spec)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(newAccessPolicyModel(ctx, p, nil, &resp.Diagnostics)))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Policies, spec.Name, resp.Private, &resp.Diagnostics)
}

// Read removes the policy from the state only when it is gone conclusively. Whatever
// else fails is an error, and the state stays.
func (r *accessPolicyResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	r.client.identify(ctx, req.State, resp.Identity, byName, &resp.Diagnostics)
	if !r.client.isReady() {
		return
	}
	var prior accessPolicyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	if err := follows(ctx, services.Policies, prior.ID.ValueString(), req.Private, &resp.Diagnostics); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	p, err := services.Policies.Read(ctx, prior.ID.ValueString(), true)
	if fault.Is(err, fault.NotFound) {
		gone(&resp.Diagnostics, err)
		resp.State.RemoveResource(ctx)
		return
	}
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	outlook, err := r.client.now(ctx, services)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	r.client.manage(aPolicy(p.Spec.Name))
	r.client.warnMissing(&resp.Diagnostics, p.Spec.Name, outlook)
	now := newAccessPolicyModel(ctx, p, accessOf(outlook.Through(p.Spec.Name, services.Policies.Now())), &resp.Diagnostics)
	now.likeWritten(prior)
	resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	if !has(ctx, req.Private, seenRecord, &resp.Diagnostics) {
		remember(ctx, services.Policies, prior.ID.ValueString(), resp.Private, &resp.Diagnostics)
	}
}

// Update changes what the policy says. On an error the prior state stays.
func (r *accessPolicyResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan accessPolicyModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	spec := plan.spec(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	if err := plan.openAccess(ctx, r.client, services, spec); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "updating access policy", map[string]any{"policy": spec.Name})
	p, err := services.Policies.Update(ctx, spec)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, plan.settle(newAccessPolicyModel(ctx, p, nil, &resp.Diagnostics)))...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	remember(ctx, services.Policies, spec.Name, resp.Private, &resp.Diagnostics)
}

// Delete removes the policy. One that is gone already is no error.
func (r *accessPolicyResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var prior accessPolicyModel
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	ctx, services := r.client.change(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.changed(&resp.Diagnostics)
	r.client.manage(aPolicy(prior.ID.ValueString()))
	tflog.Debug(ctx, "removing access policy", map[string]any{"policy": prior.ID.ValueString()})
	report(&resp.Diagnostics, services.Policies.Destroy(ctx, prior.ID.ValueString()))
}

// ImportState takes the name of a recorded policy, and gives it back as it was
// declared, so that the plan after it has nothing to add.
func (r *accessPolicyResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx, services := r.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	id := r.client.asked(ctx, req, byName, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer r.client.finish(&resp.Diagnostics)
	tflog.Debug(ctx, "importing access policy", map[string]any{"policy": id})
	p, err := services.Policies.Read(ctx, id, false)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	outlook, err := r.client.now(ctx, services)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := newAccessPolicyModel(ctx, p, accessOf(outlook.Through(p.Spec.Name, services.Policies.Now())), &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	r.client.identify(ctx, resp.State, resp.Identity, byName, &resp.Diagnostics)
	r.client.noteImport(ctx, "policy/"+p.Spec.Name, "", &resp.Diagnostics)
}

// openAccess fills in the access through a policy that is about to be recorded, if the
// plan has left it open, from the environment as it is now.
func (m *accessPolicyModel) openAccess(ctx context.Context, c *client, services *Services, spec policy.Spec) error {
	if !m.EffectiveAccess.IsUnknown() {
		return nil
	}
	outlook, err := c.now(ctx, services)
	if err != nil {
		return err
	}
	m.EffectiveAccess = accessOf(outlook.ThroughWith(spec, services.Policies.Now())).set()
	return nil
}

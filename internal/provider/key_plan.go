package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// ModifyPlan completes the plan from state and configuration alone, and asks the
// token whether it could do what is planned.
func (r *keyResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var config, plan, prior *keyModel
	for _, each := range []struct {
		get    func(context.Context, any) diag.Diagnostics
		target **keyModel
	}{{req.Config.Get, &config}, {req.Plan.Get, &plan}, {req.State.Get, &prior}} {
		resp.Diagnostics.Append(each.get(ctx, each.target)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	if plan == nil {
		if prior != nil {
			protect(*prior, &resp.Diagnostics)
			r.client.noteRefusals(ctx, &resp.Diagnostics)
			r.foresee(ctx, prior, nil, &resp.Diagnostics)
		}
		return
	}
	if config.Operations.IsNull() {
		plan.Operations = defaultOperations(plan.Algorithm)
	}
	switch {
	case prior == nil:
		plan.leaveOpen()
	case !plan.Name.Equal(prior.Name):
		protectName(*prior, *plan, &resp.Diagnostics)
		r.client.noteRefusals(ctx, &resp.Diagnostics)
		plan.leaveOpen()
	default:
		plan.keep(*prior)
		if takesIn(prior.Import, plan.Import) {
			plan.openCurrent()
		} else {
			warnNextVersion(*prior, *plan, &resp.Diagnostics)
		}
		isChanged := !plan.Enabled.Equal(prior.Enabled) || !plan.Operations.Equal(prior.Operations) || isDrifted(ctx, prior.Versions, &resp.Diagnostics)
		if isChanged && !plan.Versions.IsUnknown() {
			plan.Versions = openVersions(prior.Versions, func(string) bool { return true }, "state", "enforcement")
		}
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, plan)...)
	if !resp.Diagnostics.HasError() && (prior == nil || !resp.Plan.Raw.Equal(req.State.Raw)) {
		r.check(ctx, *plan, &resp.Diagnostics)
		if prior == nil || !plan.Name.Equal(prior.Name) || takesIn(prior.Import, plan.Import) {
			r.checkImport(ctx, req.Config, *plan, &resp.Diagnostics)
		}
		r.foresee(ctx, prior, plan, &resp.Diagnostics)
	}
}

// foresee notes what is planned of a key, so that policies which are planned after it
// may name it, and tells what access a change gives or takes away; plan is nil for a
// removal.
func (r *keyResource) foresee(ctx context.Context, prior, plan *keyModel, diags *diag.Diagnostics) {
	if !r.client.isReady() || diags.HasError() || plan != nil && plan.Name.IsUnknown() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	start, coming := r.client.outlooks(ctx, services, diags)
	if diags.HasError() {
		return
	}
	if prior != nil {
		r.client.manage(aKey(prior.Name.ValueString()))
	}
	if prior != nil && (plan == nil || !prior.Name.Equal(plan.Name)) {
		r.foreseeRemoval(coming, prior.Name.ValueString(), diags)
	}
	if plan == nil {
		return
	}
	name, isNew := plan.Name.ValueString(), prior == nil || !prior.Name.Equal(plan.Name)
	if isNew && r.client.warnTaken(diags, aKey(name), "hsm_key", start.Key(name) != nil) {
		return
	}
	var key *keyring.Key
	switch {
	case !plan.isSpecified() || !isWhole(plan.Tags, plan.Enabled):
		r.client.unsure()
		if isNew {
			r.client.expectKey(name, nil)
			coming.SetKey(&keyring.Key{Spec: keyring.Spec{Name: name}}, services.Policies.Now())
		}
	case isNew:
		key = keyring.Prospective(plan.spec(ctx, diags))
		r.client.expectKey(name, key)
	case start.Key(name) != nil && (!plan.Tags.Equal(prior.Tags) || !plan.Enabled.Equal(prior.Enabled) || !plan.Operations.Equal(prior.Operations) ||
		!plan.Algorithm.Equal(prior.Algorithm)):
		key = start.Key(name).Clone()
		key.Ask(plan.spec(ctx, diags))
	}
	if key != nil {
		r.client.warnShift(diags, aKey(name), coming.SetKey(key, services.Policies.Now()), nil)
		report(diags, coming.Err())
	}
}

// foreseeRemoval tells what goes with a key, and that it cannot go as long as a policy
// names it.
func (r *keyResource) foreseeRemoval(coming *policy.Outlook, name string, diags *diag.Diagnostics) {
	r.client.warnNamed(diags, aKey(name), coming.NamingKey(name),
		"A key that a policy names is not removed: the apply refuses, unless the policy goes or lets go of the key first.\n\n"+
			"Take the key out of the policy, apply that, then remove the key. Key and policy can go in one apply if the policy refers to the key's id.")
	r.client.warnShift(diags, aKey(name), coming.RemoveKey(name, r.client.services.Policies.Now()), nil)
	report(diags, coming.Err())
}

// protect refuses to plan the removal of a protected key. The token's record is
// asked again at apply; it has the last word.
func protect(prior keyModel, diags *diag.Diagnostics) {
	if !prior.DeletionProtection.ValueBool() {
		return
	}
	report(diags, &fault.Error{
		Kind: fault.Protected, Op: "remove key", Subject: fmt.Sprintf("key %q", prior.Name.ValueString()),
		Problem: "It has deletion_protection = true, and this plan would remove it.",
		Hint: "If it is really to go, set deletion_protection = false, apply that, then remove the key. " +
			"If the key is only to leave this configuration, use a removed block with destroy = false.",
	}, path.Root("deletion_protection"))
}

// protectName refuses to plan the removal of a protected key whose name is not the
// configuration's: it was renamed, or imported under another name.
func protectName(prior, plan keyModel, diags *diag.Diagnostics) {
	if !prior.DeletionProtection.ValueBool() {
		return
	}
	name, written := prior.Name.ValueString(), "a name that is known only after apply"
	if !plan.Name.IsUnknown() {
		written = fmt.Sprintf("name = %q", plan.Name.ValueString())
	}
	report(diags, &fault.Error{
		Kind: fault.Protected, Op: "rename key",
		Problem: fmt.Sprintf("The configuration says %s, and the key in the state, created or imported, is %q. A key cannot be renamed: this plan would remove %[2]q and make "+
			"another key, and %[2]q has deletion_protection = true.", written, name),
		Hint: fmt.Sprintf("If %[1]q is the key that is meant, write name = %[1]q. If another key is really to replace it, set deletion_protection = false, apply that, "+
			"then change the name.", name),
	}, path.Root("name"))
}

func defaultOperations(algorithm types.String) types.Set {
	if algorithm.IsUnknown() {
		return types.SetUnknown(types.StringType)
	}
	return operationSet(keyring.Algorithm(algorithm.ValueString()).DefaultOperations())
}

// warnNextVersion tells which of the changes do nothing to versions that exist.
func warnNextVersion(prior, plan keyModel, diags *diag.Diagnostics) {
	var changed []string
	for _, each := range []struct {
		name string
		was  attr.Value
		is   attr.Value
	}{
		{"algorithm", prior.Algorithm, plan.Algorithm},
		{"allowed_mechanisms", prior.AllowedMechanisms, plan.AllowedMechanisms},
		{"extractable", prior.Extractable, plan.Extractable},
	} {
		if !each.is.IsUnknown() && !each.was.Equal(each.is) {
			changed = append(changed, each.name)
		}
	}
	if len(changed) == 0 {
		return
	}
	diags.AddAttributeWarning(path.Root(changed[0]), "The change holds for the key's next version",
		fmt.Sprintf("Key %q: A change of %s leaves the versions that exist as they are. The next version will have it; an hsm_key_rotation makes that one.\n\n"+
			"The rotation becomes due with the plan after this apply, or takes place in the same apply if it says "+
			"rotate_when_changed = { %s = hsm_key.….%[3]s }.", plan.Name.ValueString(), strings.Join(changed, " and "), changed[0]))
}

// check asks the token whether it can do what is planned, and points at the
// argument that it cannot satisfy.
func (r *keyResource) check(ctx context.Context, plan keyModel, diags *diag.Diagnostics) {
	if !r.client.isReady() || !plan.isSpecified() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	spec := plan.spec(ctx, diags)
	if diags.HasError() {
		return
	}
	defer r.client.finish(diags)
	err := services.Keys.Check(ctx, spec)
	if err == nil {
		r.caution(ctx, diags)
		return
	}
	if !fault.Is(err, fault.Unsupported) {
		report(diags, err)
		return
	}
	can, unavailable := services.Keys.Capabilities(ctx)
	if unavailable != nil || can.Check(spec) == nil { // or it is no argument's fault
		report(diags, err)
		return
	}
	report(diags, err, culprit(can, spec))
}

// caution tells of a key that is to be made or changed what is known of its token.
func (r *keyResource) caution(ctx context.Context, diags *diag.Diagnostics) {
	token, err := r.client.identity(ctx)
	if err != nil {
		report(diags, err)
		return
	}
	r.client.warnCautions(diags, token)
}

// culprit finds the argument that makes a spec impossible, by asking for less.
func culprit(can keyring.Capabilities, spec keyring.Spec) path.Path {
	less := keyring.Spec{Name: spec.Name, Algorithm: spec.Algorithm}
	if can.Check(less) != nil {
		return path.Root("algorithm")
	}
	less.Operations = spec.Operations
	if can.Check(less) != nil {
		return path.Root("operations")
	}
	return path.Root("allowed_mechanisms")
}

package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// ValidateConfig finds what no token could satisfy, without asking one.
func (r *apiCredentialResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var m apiCredentialModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	m.checkTexts(&resp.Diagnostics)
	var said diag.Diagnostics // just now, or by the attributes' own validators
	spec := m.spec(ctx, &said)
	if resp.Diagnostics.HasError() || said.HasError() || !m.isCheckable() || !m.isWellFormed(spec) {
		return
	}
	spec.Revoke = nil                           // its validators have seen everything of it
	if keyring.ValidateName(spec.Name) != nil { // likewise, or it is not known
		spec.Name = "unknown"
	}
	if m.Owner.IsUnknown() {
		spec.Owner = "unknown"
	}
	m.report(&resp.Diagnostics, spec.Validate())
}

// isWellFormed reports whether the attributes' own validators have nothing to say that
// would be said once more.
func (m apiCredentialModel) isWellFormed(spec credential.Spec) bool {
	return slices.Contains(credentialTypes, m.Type.ValueString()) &&
		(m.Algorithm.IsNull() || slices.Contains(secretAlgorithms, m.Algorithm.ValueString())) &&
		min(spec.ValidFor, spec.RotateEvery, spec.Overlap) >= 0
}

// checkTexts reads what is known of the public key and of each recipient.
func (m apiCredentialModel) checkTexts(diags *diag.Diagnostics) {
	if !m.PublicKey.IsNull() && !m.PublicKey.IsUnknown() {
		_, _, err := credential.ParsePublicKey(m.PublicKey.ValueString())
		m.reportAt(diags, "public_key", err)
	}
	for _, element := range m.Recipients.Elements() {
		var err error
		switch written, _ := element.(types.String); {
		case written.IsNull():
			err = null("An element of recipients")
		case !written.IsUnknown():
			err = credential.ParseRecipient(written.ValueString())
		}
		if err != nil {
			m.reportAt(diags, "recipients", err)
			return
		}
	}
}

// check asks whether the token can do what is planned.
func (r *apiCredentialResource) check(ctx context.Context, prior *apiCredentialModel, plan apiCredentialModel, diags *diag.Diagnostics) {
	if !r.client.isReady() {
		return
	}
	ctx, services := r.client.begin(ctx, diags)
	defer r.client.finish(diags)
	if !plan.isSpecified() {
		report(diags, services.Keys.Guard(ctx))
		return
	}
	spec := plan.spec(ctx, diags)
	var was *credential.Spec
	if prior != nil {
		var past diag.Diagnostics // nobody can do anything about it
		recorded := prior.spec(ctx, &past)
		was = &recorded
	}
	if !diags.HasError() {
		plan.report(diags, services.Credentials.Check(ctx, spec, was))
	}
}

// refuse finds what is wrong with a change as far as the state can tell, and warns of
// what it does not do.
func (c credentialChange) refuse() {
	name := c.prior.Name.ValueString()
	stored := storedCredentialVersions(c.ctx, c.prior.Versions, c.diags)
	written := c.plan.revoked(c.ctx, c.diags)
	for _, n := range slices.Sorted(maps.Keys(written)) {
		if _, ok := stored[strconv.Itoa(n)]; !ok {
			c.diags.AddAttributeError(path.Root("revoke").AtMapKey(strconv.Itoa(n)), "Cannot revoke version",
				fmt.Sprintf("API credential %q has no version %d.\n\nIt has: %s.", name, n, strings.Join(slices.Sorted(maps.Keys(stored)), ", ")))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.prior.revoked(c.ctx, c.diags))) {
		if _, ok := written[n]; !ok && isWhole(c.plan.Revoke) {
			c.diags.AddAttributeWarning(path.Root("revoke"), "A revocation cannot be undone",
				fmt.Sprintf("Version %d of API credential %q stays revoked although its entry is taken away.\n\n"+
					"Nothing is to be done. If the caller is to be let in again, rotate the credential.", n, name))
		}
	}
	if c.prior.RotationDue.ValueBool() && c.plan.Type.ValueString() == string(credential.PublicKey) && !c.isOtherKey() {
		c.remind(stored[c.prior.Version.String()])
	}
}

// remind asks for another public key: only the caller can make one.
func (c credentialChange) remind(newest credentialVersionModel) {
	why := fmt.Sprintf("has had its public key since %s, and rotate_every = %q asks for another one by now", newest.CreatedAt.ValueString(), c.prior.RotateEvery.ValueString())
	if state := newest.State.ValueString(); state == string(credential.Revoked) || state == string(credential.Expired) {
		why = fmt.Sprintf("has no public key that is accepted: its newest version is %s", state)
	}
	c.diags.AddAttributeWarning(path.Root("public_key"), "Another public key is called for",
		fmt.Sprintf("API credential %q %s. Nothing is rotated: only the caller can make a key.\n\n"+
			"Have the owner, %s, make a new key pair, and put its public key here.", c.prior.Name.ValueString(), why, c.prior.Owner.ValueString()))
}

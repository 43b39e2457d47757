package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// What identifies a resource wherever its state is, for CLIs that know of such: the
// environment, and in it the name. Other CLIs never see it.
const (
	byEnvironment = "environment"
	byName        = "name"
	byKeyID       = "key_id" // of a rotation: a key has one, whichever instance it is
)

// identitySchema is what identifies a resource, by its own attribute of that name.
func identitySchema(by, description string) identityschema.Schema {
	return identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		byEnvironment: identityschema.StringAttribute{
			OptionalForImport: true, Description: "Name of the environment. If it is given for an import, it has to be the provider's.",
		},
		by: identityschema.StringAttribute{RequiredForImport: true, Description: description},
	}}
}

// identify writes who a resource is, by its own attribute. As long as the provider's
// configuration is not known what is stored stays, and what is missing is completed by
// the next refresh.
func (c *client) identify(ctx context.Context, from interface {
	GetAttribute(ctx context.Context, path path.Path, target any) diag.Diagnostics
}, to *tfsdk.ResourceIdentity, by string, diags *diag.Diagnostics,
) {
	var name types.String
	diags.Append(from.GetAttribute(ctx, path.Root(by), &name)...)
	diags.Append(to.SetAttribute(ctx, path.Root(by), name)...)
	if c.isReady() {
		diags.Append(to.SetAttribute(ctx, path.Root(byEnvironment), types.StringValue(c.settings.Environment))...)
	}
}

// asked is the id of what is to be imported: as it was given, or the name out of an
// identity, which must be of this provider's environment.
func (c *client) asked(ctx context.Context, req resource.ImportStateRequest, by string, diags *diag.Diagnostics) string {
	if req.ID != "" || req.Identity == nil {
		return req.ID
	}
	var name, environment types.String
	for at, target := range map[string]attr.Value{by: &name, byEnvironment: &environment} {
		diags.Append(req.Identity.GetAttribute(ctx, path.Root(at), target)...)
	}
	if ours := c.settings.Environment; !environment.IsNull() && environment.ValueString() != ours {
		report(diags, &fault.Error{
			Kind: fault.Environment, Op: "import", Subject: fmt.Sprintf("%q", name.ValueString()),
			Problem: fmt.Sprintf("The identity is of the environment %q, the provider is configured for %q.", environment.ValueString(), ours),
			Hint:    "Import with the provider configuration of that environment, or correct the identity.",
		})
	}
	return name.ValueString()
}

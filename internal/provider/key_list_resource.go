package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// keyListResource lists hsm_key for `terraform query`.
type keyListResource struct{ keyResource }

var _ list.ListResourceWithConfigure = (*keyListResource)(nil)

func (r *keyListResource) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The keys that are recorded on the token, whoever manages them, for `terraform query` (Terraform 1.14), which also writes their configuration. " +
			"Keys that were removed are not among them. Selects as the data source `hsm_keys` does.",
		Attributes: map[string]schema.Attribute{
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Only keys that have all of these tags. Default: any.",
			},
			"state": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf(keyring.StateNames()...)},
				MarkdownDescription: "Only keys whose current version or, if there is none, newest version is in this state. One of " + quoted(keyring.StateNames()) + ". Default: any.",
			},
		},
	}
}

// keyListModel is the configuration of a list.
type keyListModel struct {
	Tags  types.Map    `tfsdk:"tags"`
	State types.String `tfsdk:"state"`
}

// List gives back the keys as they are recorded. With their attributes each is read as
// by a refresh, so that what is shown of it is so.
func (r *keyListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var diags diag.Diagnostics
	var m keyListModel
	diags.Append(req.Config.Get(ctx, &m)...)
	var tags map[string]string
	diags.Append(m.Tags.ElementsAs(ctx, &tags, false)...)
	ctx, services := r.client.begin(ctx, &diags)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	keys, err := services.Keys.List(ctx)
	var token keyring.TokenInfo
	if err == nil {
		token, err = r.client.identity(ctx)
	}
	if err != nil {
		report(&diags, err)
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		given := int64(0)
		for _, key := range keys {
			if req.Limit > 0 && given == req.Limit {
				return
			}
			if !hasTags(key, tags) || !m.State.IsNull() && !m.State.Equal(newSummaryModel(key, token).State) {
				continue
			}
			given++
			if !push(r.result(ctx, req, services.Keys, key, token)) {
				return
			}
		}
	}
}

// result is one key of the list.
func (r *keyListResource) result(ctx context.Context, req list.ListRequest, keys *lifecycle.Service, key *keyring.Key, token keyring.TokenInfo) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = key.Spec.Name
	result.Diagnostics.Append(result.Identity.SetAttribute(ctx, path.Root(byName), key.Spec.Name)...)
	result.Diagnostics.Append(result.Identity.SetAttribute(ctx, path.Root(byEnvironment), r.client.settings.Environment)...)
	if !req.IncludeResource {
		return result
	}
	now, err := keys.Read(ctx, key.Spec.Name, lifecycle.Known{})
	if err != nil {
		report(&result.Diagnostics, err)
		return result
	}
	result.Diagnostics.Append(result.Resource.Set(ctx, newKeyModel(ctx, now, token, &result.Diagnostics))...)
	return result
}

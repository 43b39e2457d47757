package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/history"
	"github.com/keystead/terraform-provider-hsm/internal/lifecycle"
)

// keyDataSource is the data source hsm_key. Its state has the shape of the
// resource's, see keyModel, and the key's history besides.
type keyDataSource struct{ client *client }

type keyDataModel struct {
	shownKey
	HistoryHead types.String   `tfsdk:"history_head"`
	History     []historyModel `tfsdk:"history"`
}

type historyModel struct {
	Seq     types.Int64  `tfsdk:"seq"`
	At      types.String `tfsdk:"at"`
	What    types.String `tfsdk:"what"`
	Version types.Int64  `tfsdk:"version"`
	Actor   types.String `tfsdk:"actor"`
	Reason  types.String `tfsdk:"reason"`
	Digest  types.String `tfsdk:"digest"`
}

func newHistory(chain history.Chain) []historyModel {
	list := []historyModel{}
	for _, e := range chain.All() {
		m := historyModel{
			Seq: types.Int64Value(int64(e.Seq)), At: timestamp(e.At), What: types.StringValue(e.What), Version: types.Int64Null(),
			Actor: types.StringValue(e.Actor), Reason: text(e.Reason), Digest: text(e.Digest),
		}
		if e.Version != 0 {
			m.Version = types.Int64Value(int64(e.Version))
		}
		list = append(list, m)
	}
	return list
}

var _ datasource.DataSourceWithConfigure = (*keyDataSource)(nil)

func (d *keyDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_key"
}

func (d *keyDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *keyDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "One key on the token with its versions, whoever manages it.",
		Attributes: map[string]schema.Attribute{
			"name":                schema.StringAttribute{Required: true, Validators: []validator.String{nameValidator{"key"}}, MarkdownDescription: "Name of the key."},
			"algorithm":           computed("What kind of key the next version will be; see `versions` for those that exist."),
			"operations":          schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "What the key may do."},
			"allowed_mechanisms":  schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "PKCS#11 mechanisms that the next version is restricted to. Null for all."},
			"extractable":         schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the next version may leave the HSM wrapped by another key."},
			"tags":                schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The owner's labels. Null if there are none."},
			"enabled":             schema.BoolAttribute{Computed: true, MarkdownDescription: "`false` if every version is suspended."},
			"deletion_protection": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the key refuses to be removed."},
			"on_destroy":          computed("What removing the key does: `disable`, `destroy` or `retain`."),
			"id":                  computed("The key's name."),
			"pkcs11_uri":          computed("PKCS#11 URI (RFC 7512) of the current version's private or secret key. Null if there is no current version."),
			"created_at":          computed("When the key was created or adopted (RFC 3339, UTC)."),
			"current_version":     schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the version that protects new data. Null if there is none."},
			"public_key_pem":      computed("Public key of the current version as PEM (SubjectPublicKeyInfo). Null for secret keys."),
			"public_key_jwk":      computed("Public key of the current version as a JSON Web Key (RFC 7517). Null for secret keys."),
			"versions":            versionsDataAttribute(),
			"history_head": computed("The hash that stands for the key's whole history, all that was ever done to it included. Whoever keeps it elsewhere can tell " +
				"whether the history was changed since. Null if nothing was done since the provider keeps it."),
			"history": schema.ListNestedAttribute{
				Computed: true,
				MarkdownDescription: "What was done to the key, the oldest first. Each entry holds the hash of the one before. Of a long history only the last few " +
					"entries are kept, and those that matter: where each version came from, its activation, its revocation, its end.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"seq":     schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the entry, from 1."},
					"at":      computed("When (RFC 3339, UTC)."),
					"what":    computed("What happened, for example `generated`, `activated`, `deactivated`, `revoked` or `updated`."),
					"version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the version that it happened to. Null for the whole key."},
					"actor":   computed("Who did it, see `actor` of the provider."),
					"reason":  computed("Why. Null if there is nothing to say."),
					"digest":  computed("Of what was generated or adopted: `fingerprint_sha256`. Null otherwise."),
				}},
			},
		},
	}
}

func (d *keyDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m keyDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	key, err := services.Keys.Read(ctx, m.Name.ValueString(), lifecycle.Known{})
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	token, err := d.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := keyDataModel{newKeyModel(ctx, key, token, &resp.Diagnostics).shownKey, text(key.Chain.Head()), newHistory(key.Chain)}
	if !resp.Diagnostics.HasError() {
		resp.Diagnostics.Append(resp.State.Set(ctx, now)...)
	}
}

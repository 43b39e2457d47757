package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// keysDataSource is the data source hsm_keys.
type keysDataSource struct{ client *client }

var _ datasource.DataSourceWithConfigure = (*keysDataSource)(nil)

func (d *keysDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_keys"
}

func (d *keysDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *keysDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "The keys that are recorded on the token, whoever manages them. Keys that were removed are not among them. " +
			"The objects are not looked at: use the data source `hsm_key` to check one.",
		Attributes: map[string]schema.Attribute{
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Only keys that have all of these tags. Default: any.",
			},
			"state": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf(keyring.StateNames()...)},
				MarkdownDescription: "Only keys in this state, see `keys`. One of " + quoted(keyring.StateNames()) + ". Default: any.",
			},
			"names": schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Names of the keys found, sorted."},
			"keys": schema.MapNestedAttribute{
				Computed: true, MarkdownDescription: "The keys found, by name.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"state":           computed("State of the current version or, if there is none, of the newest."),
					"algorithm":       computed("What kind of key the next version will be."),
					"operations":      schema.SetAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "What the key may do."},
					"tags":            schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The owner's labels."},
					"enabled":         schema.BoolAttribute{Computed: true, MarkdownDescription: "`false` if every version is suspended."},
					"created_at":      computed("When the key was created or adopted (RFC 3339, UTC)."),
					"current_version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the version that protects new data. Null if there is none."},
					"pkcs11_uri":      computed("PKCS#11 URI (RFC 7512) of the current version's private or secret key. Null if there is no current version."),
					"public_key_pem":  computed("Public key of the current version as PEM. Null for secret keys."),
				}},
			},
		},
	}
}

// keysModel is hsm_keys in configuration and state.
type keysModel struct {
	Tags  types.Map               `tfsdk:"tags"`
	State types.String            `tfsdk:"state"`
	Names types.List              `tfsdk:"names"`
	Keys  map[string]summaryModel `tfsdk:"keys"`
}

// summaryModel is one key of hsm_keys.
type summaryModel struct {
	State          types.String      `tfsdk:"state"`
	Algorithm      types.String      `tfsdk:"algorithm"`
	Operations     types.Set         `tfsdk:"operations"`
	Tags           map[string]string `tfsdk:"tags"`
	Enabled        types.Bool        `tfsdk:"enabled"`
	CreatedAt      types.String      `tfsdk:"created_at"`
	CurrentVersion types.Int64       `tfsdk:"current_version"`
	PKCS11URI      types.String      `tfsdk:"pkcs11_uri"`
	PublicKeyPEM   types.String      `tfsdk:"public_key_pem"`
}

func (d *keysDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m keysModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	var tags map[string]string
	resp.Diagnostics.Append(m.Tags.ElementsAs(ctx, &tags, false)...)
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	keys, err := services.Keys.List(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	token, err := d.client.identity(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	var names []string
	m.Keys = map[string]summaryModel{}
	for _, key := range keys {
		summary := newSummaryModel(key, token)
		if hasTags(key, tags) && (m.State.IsNull() || m.State.Equal(summary.State)) {
			names = append(names, key.Spec.Name)
			m.Keys[key.Spec.Name] = summary
		}
	}
	m.Names = stringList(ctx, names, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func newSummaryModel(key *keyring.Key, token keyring.TokenInfo) summaryModel {
	current := key.Current()
	m := summaryModel{
		Algorithm: types.StringValue(string(key.Spec.Algorithm)), Operations: operationSet(key.Spec.Operations), Tags: key.Spec.Tags,
		Enabled: types.BoolValue(key.Spec.Enabled), CreatedAt: timestamp(key.CreatedAt),
		CurrentVersion: number(current), PublicKeyPEM: pemOf(current),
	}
	if m.Tags == nil {
		m.Tags = map[string]string{}
	}
	if current != nil {
		m.PKCS11URI = types.StringValue(versionURI(current, token))
	} else {
		current = key.Newest()
	}
	if current != nil {
		m.State = types.StringValue(string(key.State(current)))
	}
	return m
}

func hasTags(key *keyring.Key, tags map[string]string) bool {
	for name, value := range tags {
		if actual, ok := key.Spec.Tags[name]; !ok || actual != value {
			return false
		}
	}
	return true
}

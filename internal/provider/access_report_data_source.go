package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// accessReportDataSource is the data source hsm_access_report.
type accessReportDataSource struct{ client *client }

var _ datasource.DataSourceWithConfigure = (*accessReportDataSource)(nil)

func (d *accessReportDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_access_report"
}

func (d *accessReportDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *accessReportDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	grants := types.ListType{ElemType: grantType()}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Who may do what with which key, as the environment's policies stand: for a review, or for the day that somebody leaves.\n\n" +
			"A grant is listed if some version of the credential that is accepted now may do it with some version of the key. With `owner` the report is about that owner alone.",
		Attributes: map[string]schema.Attribute{
			"owner": schema.StringAttribute{
				Optional: true, Validators: []validator.String{notEmpty{}},
				MarkdownDescription: "Only credentials of this owner. Default: all. An owner without credentials has an empty report.",
			},
			"grants": schema.ListNestedAttribute{
				Computed: true, NestedObject: schema.NestedAttributeObject{Attributes: grantAttributes()},
				MarkdownDescription: "Everything that the policies together allow, by principal, key and action.",
			},
			"by_principal": schema.MapAttribute{
				Computed: true, ElementType: grants, MarkdownDescription: "The `grants`, by name of the credential. Credentials that may do nothing are not among them. " + asInGrants,
			},
			"by_key": schema.MapAttribute{
				Computed: true, ElementType: grants, MarkdownDescription: "The `grants`, by name of the key. Keys that nobody may use are not among them. " + asInGrants,
			},
			"credentials": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The credentials that can still be used, whether or not a policy permits them anything, by name.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"name":    schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the credential."},
					"owner":   schema.StringAttribute{Computed: true, MarkdownDescription: "Person or team that it belongs to."},
					"key_ids": schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Key ids of the versions that are accepted now, the oldest first."},
					"until":   schema.StringAttribute{Computed: true, MarkdownDescription: "When the last of these ends (RFC 3339, UTC). Null for never."},
				}},
			},
		},
	}
}

// asInGrants documents the elements of lists whose elements the documentation is not made
// for.
const asInGrants = "Each element has the attributes of one of `grants`: `principal`, `owner`, `action`, `key`, `conditional` and `policies`."

// grantAttributes are those of one grant in a report.
func grantAttributes() map[string]schema.Attribute {
	return map[string]schema.Attribute{
		"principal": schema.StringAttribute{Computed: true, MarkdownDescription: "Name of a credential."},
		"owner":     schema.StringAttribute{Computed: true, MarkdownDescription: "Person or team that it belongs to."},
		"action":    schema.StringAttribute{Computed: true, MarkdownDescription: "What it may do."},
		"key":       schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the key that it may do it with."},
		"conditional": schema.BoolAttribute{
			Computed: true, MarkdownDescription: "Whether it depends on the request: when and from where it comes, how much and with which mechanism.",
		},
		"policies": schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Names of the policies that permit it, sorted."},
	}
}

func grantType() types.ObjectType {
	return types.ObjectType{AttrTypes: map[string]attr.Type{
		"principal": types.StringType, "owner": types.StringType, "action": types.StringType, "key": types.StringType,
		"conditional": types.BoolType, "policies": types.ListType{ElemType: types.StringType},
	}}
}

// accessReportModel is hsm_access_report in configuration and state.
type accessReportModel struct {
	Owner       types.String            `tfsdk:"owner"`
	Grants      []grantModel            `tfsdk:"grants"`
	ByPrincipal map[string][]grantModel `tfsdk:"by_principal"`
	ByKey       map[string][]grantModel `tfsdk:"by_key"`
	Credentials []usableModel           `tfsdk:"credentials"`
}

// grantModel is one grant in a report.
type grantModel struct {
	Principal   string   `tfsdk:"principal"`
	Owner       string   `tfsdk:"owner"`
	Action      string   `tfsdk:"action"`
	Key         string   `tfsdk:"key"`
	Conditional bool     `tfsdk:"conditional"`
	Policies    []string `tfsdk:"policies"`
}

// usableModel is one credential that can still be used.
type usableModel struct {
	Name   string       `tfsdk:"name"`
	Owner  string       `tfsdk:"owner"`
	KeyIDs []string     `tfsdk:"key_ids"`
	Until  types.String `tfsdk:"until"`
}

func (d *accessReportDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m accessReportModel
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("owner"), &m.Owner)...)
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	world, policies, err := services.Policies.World(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	engine, err := policy.NewEngine(world, policies)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	credentials, err := services.Credentials.List(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	now := services.Policies.Now()
	m.list(world, engine.Grants(now))
	m.Credentials = []usableModel{}
	for _, c := range credentials {
		if usable := newUsableModel(world.Environment, c, now); m.isAbout(c.Spec.Owner) && len(usable.KeyIDs) > 0 {
			m.Credentials = append(m.Credentials, usable)
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

func (m *accessReportModel) isAbout(owner string) bool {
	return m.Owner.IsNull() || m.Owner.ValueString() == owner
}

// list shows grants in every order. They come sorted, and stay so.
func (m *accessReportModel) list(world policy.World, grants []policy.Grant) {
	owners := make(map[string]string, len(world.Principals))
	for _, p := range world.Principals {
		owners[p.Name] = p.Owner
	}
	m.Grants, m.ByPrincipal, m.ByKey = []grantModel{}, map[string][]grantModel{}, map[string][]grantModel{}
	for _, g := range grants {
		owner := owners[g.Principal]
		if !m.isAbout(owner) {
			continue
		}
		shown := grantModel{Principal: g.Principal, Owner: owner, Action: string(g.Action), Key: g.Key, Conditional: g.Conditional, Policies: g.Policies}
		m.Grants = append(m.Grants, shown)
		m.ByPrincipal[g.Principal] = append(m.ByPrincipal[g.Principal], shown)
		m.ByKey[g.Key] = append(m.ByKey[g.Key], shown)
	}
}

// newUsableModel shows with what a credential can be used at a time. It has no key ids
// if it cannot.
func newUsableModel(environment string, c *credential.Credential, now time.Time) usableModel {
	m := usableModel{Name: c.Spec.Name, Owner: c.Spec.Owner}
	var last time.Time
	isEndless := false
	for _, n := range c.Numbers() {
		v := c.Versions[n]
		if !c.IsAccepted(v, now) {
			continue
		}
		m.KeyIDs = append(m.KeyIDs, credential.KeyID(environment, c.Spec.Name, n))
		_, until, _ := c.Standing(v)
		isEndless = isEndless || until.IsZero()
		if until.After(last) {
			last = until
		}
	}
	if isEndless {
		last = time.Time{}
	}
	m.Until = timestamp(last)
	return m
}

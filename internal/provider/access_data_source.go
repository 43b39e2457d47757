package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/policy"
)

// accessDataSource is the data source hsm_access.
type accessDataSource struct{ client *client }

var _ datasource.DataSourceWithConfigure = (*accessDataSource)(nil)

func (d *accessDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_access"
}

func (d *accessDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *accessDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	fromOne := []validator.Int64{int64validator.AtLeast(1)}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Decides one request as the environment's policies stand, so that `check` blocks and `terraform test` can prove what somebody may " +
			"do, and above all what not.\n\n" +
			"The decision is about the policies as they are on the token when the data source is read. Give it `depends_on` with the policies of the same " +
			"configuration: then a change of them is applied before it decides. Credentials and keys that the same run is going to make may be named.\n\n" +
			"-> **Beside a check, not inside of it.** A `check` block may have a data source of its own. With `depends_on` Terraform reads that one anew in every apply, and every " +
			"plan says so: `terraform plan -detailed-exitcode` is 2 for ever. Declare the data source beside the check, as in the example.",
		Attributes: map[string]schema.Attribute{
			"principal": schema.StringAttribute{Required: true, MarkdownDescription: "Who: `id` of an `hsm_api_credential`. One that there is not is an error."},
			"action": schema.StringAttribute{
				Required: true, Validators: []validator.String{stringvalidator.OneOf(policy.ActionNames()...)},
				MarkdownDescription: "What it wants to do: " + quoted(policy.ActionNames()) + ".",
			},
			"key":               schema.StringAttribute{Required: true, MarkdownDescription: "With what: `id` of an `hsm_key`. One that there is not is an error."},
			"principal_version": schema.Int64Attribute{Optional: true, Validators: fromOne, MarkdownDescription: "Version that the caller has proven itself with. Default: the newest."},
			"key_version":       schema.Int64Attribute{Optional: true, Validators: fromOne, MarkdownDescription: "Version of the key to be used. Default: the current one."},
			"context": schema.SingleNestedAttribute{
				Optional: true, MarkdownDescription: "What is known of the request. Default: nothing but the time. What is not given gets nothing permitted: a condition about it does not hold in a statement that permits, and holds in one that forbids.",
				Attributes: map[string]schema.Attribute{
					"time":          schema.StringAttribute{Optional: true, Validators: []validator.String{momentValidator{}}, MarkdownDescription: "When it is made (RFC 3339). Default: now."},
					"source_ip":     schema.StringAttribute{Optional: true, Validators: []validator.String{addressValidator{}}, MarkdownDescription: "Address that it comes from, IPv4 or IPv6. Default: not known."},
					"payload_bytes": schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.AtLeast(0)}, MarkdownDescription: "How many bytes are to be worked on. Default: not known."},
					"mechanism": schema.StringAttribute{
						Optional: true, Validators: []validator.String{mechanismValidator{}}, MarkdownDescription: "Name of the PKCS#11 mechanism, for example `CKM_ECDSA`. Default: not known.",
					},
				},
			},

			"allowed": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether it may."},
			"reasons": schema.ListAttribute{
				Computed: true, ElementType: types.StringType, MarkdownDescription: "Which policies, statements and built-in rules have decided, in words. Never empty.",
			},
			"errors": schema.ListAttribute{
				Computed: true, ElementType: types.StringType, MarkdownDescription: "Which policies could not be evaluated, and why; a request with any is denied.",
			},
		},
	}
}

func (d *accessDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m accessModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	outlook, err := d.client.now(ctx, services)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	callers, keys, isWhole := d.client.added(unless(outlook.Principal(m.Principal.ValueString()) != nil, m.Principal.ValueString()),
		unless(outlook.Key(m.Key.ValueString()) != nil, m.Key.ValueString()))
	environment := services.Policies.Environment.Name()
	m.find(environment, outlook, len(callers) > 0, len(keys) > 0, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	decision := policy.Decision{Reasons: []string{"Not everything is known yet about a credential or a key that is still to be made: it is decided when that has been made."}}
	if isWhole {
		decision = outlook.DecideWith(m.request(environment, services.Policies.Now()), callers, keys)
	}
	m.Allowed = types.BoolValue(decision.Allowed)
	m.Reasons, m.Errors = stringList(ctx, decision.Reasons, &resp.Diagnostics), stringList(ctx, decision.Errors, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// unless lists a name of something, unless it is there.
func unless(isThere bool, name string) []string {
	if isThere {
		return nil
	}
	return []string{name}
}

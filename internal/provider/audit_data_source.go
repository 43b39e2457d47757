package provider

import (
	"cmp"
	"context"
	"encoding/base64"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// auditDataSource is the data source hsm_audit.
type auditDataSource struct{ client *client }

var _ datasource.DataSourceWithConfigure = (*auditDataSource)(nil)

func (d *auditDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_audit"
}

func (d *auditDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *auditDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "The audit log's newest checkpoint, to be published where nobody who could change the log can change it too, and the last events of a key. " +
			"The provider has to be configured with `audit`. The signature is checked, and a log that is not as it was left is a warning; the records are not checked one by one: that is done by `terraform-provider-hsm audit verify`.\n\n" +
			"What an apply itself does is in the checkpoint that is signed at its end, so it shows from the next plan on.",
		Attributes: map[string]schema.Attribute{
			"key": schema.StringAttribute{
				Optional: true, Validators: []validator.String{nameValidator{"key"}}, MarkdownDescription: "Name of a key, for `events`. Default: no events.",
			},
			"last": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.Between(1, 1000)}, MarkdownDescription: "How many of the key's events to list, the newest ones. Default: 10.",
			},
			"size":       schema.Int64Attribute{Computed: true, MarkdownDescription: "How many records the newest checkpoint covers. 0 if there is none yet; what else is said of it is null then."},
			"root":       computed("Root of the Merkle tree over these records, as base64."),
			"signed_at":  computed("When the checkpoint was signed (RFC 3339, UTC)."),
			"signed_by":  computed("The key that signed it, as tools for signed notes take it: `NAME+HASH+KEY`."),
			"checkpoint": computed("The checkpoint itself, a signed note. Give it to `terraform-provider-hsm audit verify -checkpoint` later."),
			"events": schema.ListNestedAttribute{
				Computed: true, MarkdownDescription: "The last events of the key, the oldest first.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"record":    schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the record in the log, from 0."},
					"time":      computed("When (RFC 3339, UTC)."),
					"actor":     computed("Who did it."),
					"operation": computed("What was asked for, for example `rotate`."),
					"what":      computed("What was done, in words."),
					"phase":     computed("`intent`, `outcome` or `notice`."),
					"failure":   computed("Why it was not done, null if it was."),
				}},
			},
		},
	}
}

// auditDataModel is hsm_audit in state.
type auditDataModel struct {
	Key        types.String      `tfsdk:"key"`
	Last       types.Int64       `tfsdk:"last"`
	Size       types.Int64       `tfsdk:"size"`
	Root       types.String      `tfsdk:"root"`
	SignedAt   types.String      `tfsdk:"signed_at"`
	SignedBy   types.String      `tfsdk:"signed_by"`
	Checkpoint types.String      `tfsdk:"checkpoint"`
	Events     []auditEventModel `tfsdk:"events"`
}

type auditEventModel struct {
	Record    types.Int64  `tfsdk:"record"`
	Time      types.String `tfsdk:"time"`
	Actor     types.String `tfsdk:"actor"`
	Operation types.String `tfsdk:"operation"`
	What      types.String `tfsdk:"what"`
	Phase     types.String `tfsdk:"phase"`
	Failure   types.String `tfsdk:"failure"`
}

func (d *auditDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	var m auditDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	if err := m.read(ctx, services); err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	d.client.warnOfLog(ctx, services.Audit, &resp.Diagnostics)
	resp.Diagnostics.Append(resp.State.Set(ctx, m)...)
}

// warnOfLog warns of a log that is not as it was left, so that nobody publishes the checkpoint
// of one as if it were.
func (c *client) warnOfLog(ctx context.Context, a Audit, diags *diag.Diagnostics) {
	_, err := a.Log.Examine(ctx)
	if err == nil {
		return
	}
	_, detail := explain(err)
	if fault.Is(err, fault.Inconsistent) {
		c.warnOnce(diags, "The audit log is not as it was left", detail)
	} else {
		c.warnOnce(diags, "The audit log cannot be written to", detail)
	}
}

// read fills in what the log says. A log that there is not yet is one without records.
func (m *auditDataModel) read(ctx context.Context, services *Services) error {
	m.Size, m.Events = types.Int64Value(0), []auditEventModel{}
	if services.Audit.Log == nil {
		return &fault.Error{
			Kind: fault.Invalid, Op: "read audit log", Subject: "audit", Problem: "The provider is configured without an audit log.",
			Hint: "Add a block audit with a directory to the provider's configuration, or leave out data sources of hsm_audit.",
		}
	}
	if err := services.Keys.Guard(ctx); err != nil {
		return err
	}
	view, err := audit.OpenView(services.Audit.Directory)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := m.readCheckpoint(ctx, services, view); err != nil || m.Key.IsNull() {
		return err
	}
	last := int64(10)
	if !m.Last.IsNull() {
		last = m.Last.ValueInt64()
	}
	found, unreadable, err := audit.Select(view, audit.Query{Subject: "key/" + m.Key.ValueString(), Last: int(last)})
	for _, f := range found {
		e := auditEventModel{
			Record: types.Int64Value(f.Index), Time: timestamp(f.Event.Time), Actor: text(f.Event.Actor), Operation: text(f.Event.Operation),
			What: text(f.Event.Summary()), Phase: text(string(f.Event.Phase)), Failure: types.StringNull(),
		}
		if f.Event.Failure != nil {
			e.Failure = text(f.Event.Failure.Kind + ": " + f.Event.Failure.Problem)
		}
		m.Events = append(m.Events, e)
	}
	return cmp.Or(err, audit.Unreadable(unreadable))
}

func (m *auditDataModel) readCheckpoint(ctx context.Context, services *Services, view *audit.View) error {
	notes, err := view.Checkpoints()
	if err != nil || notes.Newest() == nil {
		return err
	}
	keys, err := services.Audit.Keys.Keys(ctx)
	if err != nil {
		return err
	}
	environment := services.Policies.Environment.Name()
	c, err := audit.ReadCheckpoint(environment, notes.Newest(), keys)
	if err != nil {
		return err
	}
	by, err := audit.VerifierKey(environment, c.Key)
	if err != nil {
		return err
	}
	m.Size, m.Root = types.Int64Value(c.Size), types.StringValue(base64.StdEncoding.EncodeToString(c.Root[:]))
	m.SignedAt, m.SignedBy, m.Checkpoint = timestamp(c.Time), types.StringValue(by), types.StringValue(string(c.Text))
	return nil
}

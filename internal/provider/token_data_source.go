package provider

import (
	"context"
	"math"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/fault"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

// tokenDataSource is the data source hsm_token.
type tokenDataSource struct{ client *client }

var _ datasource.DataSourceWithConfigure = (*tokenDataSource)(nil)

func (d *tokenDataSource) Metadata(_ context.Context, _ datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = typeName + "_token"
}

func (d *tokenDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.client = clientFrom(req.ProviderData, &resp.Diagnostics)
}

func (d *tokenDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: description}
	}
	count := func(description string) schema.Int64Attribute {
		return schema.Int64Attribute{Computed: true, MarkdownDescription: description}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "The token that the provider is configured for: who it is, how it fares, and what it can do. " +
			"Capabilities are not taken from what the token lists, which is often wrong, but from trying with throw-away session keys.",
		Attributes: map[string]schema.Attribute{
			"label":               computed("Label of the token."),
			"serial":              computed("Serial number of the token."),
			"model":               computed("Model of the token."),
			"manufacturer":        computed("Manufacturer of the token."),
			"firmware_version":    computed("Firmware of the token, as `major.minor`."),
			"hardware_version":    computed("Hardware of the token, as `major.minor`."),
			"library":             computed("The PKCS#11 module's own description and version."),
			"slot_id":             count("Number of the slot that the token is in."),
			"flags":               schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The token's flags (`CKF_…`) in lower case without prefix, sorted, for example `login_required`."},
			"open_sessions":       count("Sessions that all programs have open, this one included. Null if the token does not tell."),
			"max_sessions":        count("Sessions that are possible; 0 is without limit. Null if the token does not tell."),
			"free_sessions":       count("Sessions that can still be opened. Null without limit, and if the token does not tell."),
			"free_private_memory": count("Free memory for private objects, in bytes. Null if the token does not tell."),
			"free_public_memory":  count("Free memory for public objects, in bytes. Null if the token does not tell."),
			"cautions": schema.ListAttribute{
				Computed: true, ElementType: types.StringType,
				MarkdownDescription: "What is known of this kind of token, in whole sentences, that whoever trusts keys to it should know. Empty if there is nothing.",
			},
			"mechanisms": schema.MapNestedAttribute{
				Computed: true, MarkdownDescription: "What the token lists, by the mechanism's name, for example `CKM_ECDSA`.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"min_key_size": count("Smallest key, in the unit of the mechanism: bits for RSA and EC, mostly bytes for AES."),
					"max_key_size": count("Largest key, in the same unit."),
					"uses":         schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "What the mechanism is for, sorted, for example `sign`."},
				}},
			},
			"capabilities": schema.SingleNestedAttribute{
				Computed: true, MarkdownDescription: "What the token can do, as tried.",
				Attributes: map[string]schema.Attribute{
					"algorithms": schema.MapAttribute{
						Computed: true, ElementType: types.ListType{ElemType: types.StringType},
						MarkdownDescription: "Algorithms of `hsm_key` that can be generated here, each with the operations that such a key can then do.",
					},
					"enforcement":          computed("`hsm` if the token refuses an operation that was switched off on a key, `advisory` if it goes on doing it."),
					"attests":              schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the token tells truthfully where a key was generated and whether it could ever leave."},
					"restricts_mechanisms": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether `allowed_mechanisms` of `hsm_key` can be used here."},
					"keeps_records": schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the token takes private data objects, which is where the provider keeps its records. " +
						"On a token that does not, nothing but this data source works."},
				},
			},
		},
	}
}

// tokenModel is hsm_token in state.
type tokenModel struct {
	Label             types.String              `tfsdk:"label"`
	Serial            types.String              `tfsdk:"serial"`
	Model             types.String              `tfsdk:"model"`
	Manufacturer      types.String              `tfsdk:"manufacturer"`
	FirmwareVersion   types.String              `tfsdk:"firmware_version"`
	HardwareVersion   types.String              `tfsdk:"hardware_version"`
	Library           types.String              `tfsdk:"library"`
	SlotID            types.Int64               `tfsdk:"slot_id"`
	Flags             types.List                `tfsdk:"flags"`
	OpenSessions      types.Int64               `tfsdk:"open_sessions"`
	MaxSessions       types.Int64               `tfsdk:"max_sessions"`
	FreeSessions      types.Int64               `tfsdk:"free_sessions"`
	FreePrivateMemory types.Int64               `tfsdk:"free_private_memory"`
	FreePublicMemory  types.Int64               `tfsdk:"free_public_memory"`
	Cautions          types.List                `tfsdk:"cautions"`
	Mechanisms        map[string]mechanismModel `tfsdk:"mechanisms"`
	Capabilities      capabilitiesModel         `tfsdk:"capabilities"`
}

type mechanismModel struct {
	MinKeySize types.Int64 `tfsdk:"min_key_size"`
	MaxKeySize types.Int64 `tfsdk:"max_key_size"`
	Uses       types.List  `tfsdk:"uses"`
}

type capabilitiesModel struct {
	Algorithms          map[string][]string `tfsdk:"algorithms"`
	Enforcement         types.String        `tfsdk:"enforcement"`
	Attests             types.Bool          `tfsdk:"attests"`
	RestrictsMechanisms types.Bool          `tfsdk:"restricts_mechanisms"`
	KeepsRecords        types.Bool          `tfsdk:"keeps_records"`
}

func (d *tokenDataSource) Read(ctx context.Context, _ datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx, services := d.client.begin(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	defer d.client.finish(&resp.Diagnostics)
	err := services.Keys.Guard(ctx)
	switch {
	case fault.Is(err, fault.Unsupported): // a token without a place for records can be looked at all the same
		resp.Diagnostics.AddWarning(explain(err))
	case err != nil:
		report(&resp.Diagnostics, err)
		return
	}
	info, err := services.Keys.Info(ctx) // anew: sessions and memory change
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	can, err := services.Keys.Capabilities(ctx)
	if err != nil {
		report(&resp.Diagnostics, err)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, newTokenModel(ctx, info, can, &resp.Diagnostics))...)
}

func newTokenModel(ctx context.Context, info keyring.TokenInfo, can keyring.Capabilities, diags *diag.Diagnostics) tokenModel {
	m := tokenModel{
		Label: types.StringValue(info.Label), Serial: types.StringValue(info.Serial), Model: types.StringValue(info.Model),
		Manufacturer: types.StringValue(info.Manufacturer), FirmwareVersion: types.StringValue(info.Firmware),
		HardwareVersion: types.StringValue(info.Hardware), Library: types.StringValue(info.Library), SlotID: types.Int64Null(),
		Flags: stringList(ctx, info.Flags, diags), OpenSessions: told(info.Sessions), MaxSessions: told(info.MaxSessions), FreeSessions: types.Int64Null(),
		FreePrivateMemory: told(info.FreePrivateMemory), FreePublicMemory: told(info.FreePublicMemory),
		Cautions: stringList(ctx, info.Cautions, diags), Mechanisms: map[string]mechanismModel{},
		Capabilities: capabilitiesModel{
			Algorithms: map[string][]string{}, Enforcement: text(string(can.Enforcement)), Attests: types.BoolValue(can.Attests),
			RestrictsMechanisms: types.BoolValue(can.RestrictsMechanisms), KeepsRecords: types.BoolValue(can.KeepsRecords),
		},
	}
	if info.Slot <= math.MaxInt64 {
		m.SlotID = types.Int64Value(int64(info.Slot))
	}
	if info.Sessions >= 0 && info.MaxSessions > 0 {
		m.FreeSessions = types.Int64Value(info.MaxSessions - info.Sessions)
	}
	for name, mechanism := range can.Mechanisms {
		m.Mechanisms[string(name)] = mechanismModel{
			MinKeySize: types.Int64Value(int64(mechanism.MinKeySize)), MaxKeySize: types.Int64Value(int64(mechanism.MaxKeySize)),
			Uses: stringList(ctx, mechanism.Uses, diags),
		}
	}
	for algorithm, operations := range can.Algorithms {
		m.Capabilities.Algorithms[string(algorithm)] = operations.Names()
	}
	return m
}

// told is null for the -1 of a token that does not tell.
func told(n int64) types.Int64 {
	if n < 0 {
		return types.Int64Null()
	}
	return types.Int64Value(n)
}

// stringList is an empty list, not null, for nothing.
func stringList(ctx context.Context, values []string, diags *diag.Diagnostics) types.List {
	if len(values) == 0 {
		return types.ListValueMust(types.StringType, []attr.Value{})
	}
	list, more := types.ListValueFrom(ctx, types.StringType, values)
	diags.Append(more...)
	return list
}

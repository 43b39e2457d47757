// Package provider is the face that Terraform and OpenTofu see: schemas, plans,
// state and diagnostics.
//
// It translates and decides nothing. What a key may become is decided in keyring
// and rotation, what is done in lifecycle; an if on a version's state or on the
// time does not belong here. Plans are a function of state and configuration
// alone: the clock is read where a resource is read, nowhere else.
package provider

import (
	"context"
	"os"
	"os/user"
	"slices"

	"github.com/keystead/terraform-provider-hsm/internal/secret"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/keystead/terraform-provider-hsm/internal/config"
)

// typeName is the first word of every resource's and data source's type.
const typeName = "hsm"

type hsmProvider struct {
	version string
	open    func(config.Settings) *Services
}

// New returns a constructor of providers. open makes the services for what an
// operator configured; it is called at most once for each configured provider,
// does no I/O, and only when the token is really needed.
func New(version string, open func(config.Settings) *Services) func() provider.Provider {
	return func() provider.Provider { return &hsmProvider{version: version, open: open} }
}

func (p *hsmProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = typeName, p.version
}

func (p *hsmProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	some := []validator.String{notEmpty{}}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Runs the life of cryptographic keys inside a PKCS#11 hardware security module (HSM): keys are generated in the " +
			"token and never leave it, their versions are tracked, and they are rotated with an overlap that the HSM enforces.\n\n" +
			"One provider configuration is one token, and one token holds one environment. The token is selected either by `uri` or by " +
			"`module_path` with at least one of `token_label`, `token_serial` and `slot_id`. Nothing is opened before it is needed, " +
			"and `terraform validate` touches no token.",
		Attributes: map[string]schema.Attribute{
			"uri": schema.StringAttribute{
				Optional: true, Validators: []validator.String{uriValidator{}},
				MarkdownDescription: "The token as a PKCS#11 URI (RFC 7512), for example " +
					"`pkcs11:token=prod?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin`. " +
					"Of its attributes `token`, `serial`, `manufacturer`, `model`, `slot-id`, `module-path`, `pin-source` (a file) and `pin-value` are used; " +
					"a `pin-value` is saved in Terraform's plan files with the rest of the configuration. " +
					"Environment variable: `HSM_URI`. Default: the token is selected by `module_path` and the arguments beside it.",
			},
			"module_path": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Path of the PKCS#11 module, the shared library of the HSM's vendor. Required, unless `uri` has a `module-path`.",
			},
			"module_parameters": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Text that the module is initialised with (`pReserved` of `C_Initialize`). Hardly any module takes one; NSS softokn is told in it where its database is: " +
					"`configdir='sql:/path'`. All provider blocks of a module have to give the same. Default: none.",
			},
			"token_label": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Label of the token. Default: any.",
			},
			"token_serial": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Serial number of the token, as the token reports it. Default: any.",
			},
			"slot_id": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.AtLeast(0)},
				MarkdownDescription: "Number of the slot that the token is in. Some modules number their slots anew each time; prefer label or serial. Default: any.",
			},
			"pin": schema.StringAttribute{
				Optional: true, Sensitive: true, Validators: some,
				MarkdownDescription: "The user PIN. It is tried once: a wrong PIN fails every operation of the run, so that no run can lock the token. " +
					"Environment variable: `HSM_PIN`. Prefer that, or a `pin-source` in `uri`: " +
					"Terraform saves a PIN that is written here, or comes from a variable that is not ephemeral, in plan files. Required, in one of these ways.",
			},
			"environment": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Name of the environment whose keys the token holds, for example `prod`. Required, here or in the environment variable " +
					"`HSM_ENVIRONMENT`. The first apply or import stamps an empty token with it, and the provider cannot change the stamp; from then on a provider with another environment refuses " +
					"everything on that token. With `environment = terraform.workspace` a workspace cannot be run against another one's token.",
			},
			"actor": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Who is recorded on the token with each change. Environment variable: `HSM_ACTOR`. Default: `user@host` of the process.",
			},
			"max_sessions": schema.Int64Attribute{
				Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "How many PKCS#11 sessions the provider opens at most. Default: 8, or what the token has if that is less.",
			},
			"concurrent_calls": schema.BoolAttribute{
				Optional: true,
				MarkdownDescription: "Whether calls into the module may overlap, each in a session of its own, up to `max_sessions` less one. " +
					"For the module of an HSM in the network, where most of the time is spent on the way: it has to be thread-safe, as its vendor will tell. " +
					"Many modules of software tokens are not, and lose or mix up objects; SoftHSM and TPMs get one call about objects at a time whatever is set here, and SoftHSM uses keys beside each other. Default: `false`.",
			},
		},
		Blocks: map[string]schema.Block{"audit": auditBlock()},
	}
}

// providerModel is the provider block.
type providerModel struct {
	URI         types.String `tfsdk:"uri"`
	ModulePath  types.String `tfsdk:"module_path"`
	Parameters  types.String `tfsdk:"module_parameters"`
	TokenLabel  types.String `tfsdk:"token_label"`
	TokenSerial types.String `tfsdk:"token_serial"`
	SlotID      types.Int64  `tfsdk:"slot_id"`
	PIN         types.String `tfsdk:"pin"`
	Environment types.String `tfsdk:"environment"`
	Actor       types.String `tfsdk:"actor"`
	MaxSessions types.Int64  `tfsdk:"max_sessions"`
	Concurrent  types.Bool   `tfsdk:"concurrent_calls"`
	Audit       *auditModel  `tfsdk:"audit"`
}

// unknown lists the arguments without a known value, sorted.
func (m providerModel) unknown() []string {
	var names []string
	for name, value := range map[string]attr.Value{
		"uri": m.URI, "module_path": m.ModulePath, "module_parameters": m.Parameters, "token_label": m.TokenLabel, "token_serial": m.TokenSerial, "slot_id": m.SlotID,
		"pin": m.PIN, "environment": m.Environment, "actor": m.Actor, "max_sessions": m.MaxSessions, "audit": m.Audit.first(), "concurrent_calls": m.Concurrent,
	} {
		if value.IsUnknown() {
			names = append(names, "`"+name+"`")
		}
	}
	slices.Sort(names)
	return names
}

func (p *hsmProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	pin := secret.New(m.PIN.ValueString())
	ctx = mask(ctx, pin) // before the first log line

	c := &client{open: p.open, unknown: m.unknown()}
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData, resp.ListResourceData, resp.ActionData = c, c, c, c, c
	if !c.isReady() {
		tflog.Debug(ctx, "the provider's configuration is not known yet", map[string]any{"unknown": c.unknown})
		return
	}
	settings, err := config.Resolve(config.Input{
		URI: m.URI.ValueString(), ModulePath: m.ModulePath.ValueString(), ModuleParameters: m.Parameters.ValueString(), TokenLabel: m.TokenLabel.ValueString(),
		TokenSerial: m.TokenSerial.ValueString(), SlotID: m.SlotID.ValueInt64Pointer(), PIN: pin,
		Environment: m.Environment.ValueString(), Actor: m.Actor.ValueString(), MaxSessions: m.MaxSessions.ValueInt64Pointer(),
		ConcurrentCalls: m.Concurrent.ValueBool(),
		Audit:           m.Audit.input(),
	}, os.Getenv, UserAtHost)
	if err != nil {
		reportConfiguration(&resp.Diagnostics, err)
		return
	}
	c.settings = settings
	tflog.Debug(c.masked(ctx), "configured", map[string]any{
		"module": settings.ModulePath, "token": settings.TokenLabel, "serial": settings.TokenSerial,
		"environment": settings.Environment, "actor": settings.Actor, "audit": settings.Audit.Directory,
	})
}

// UserAtHost is who runs the provider, as far as the system knows.
func UserAtHost() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

func (p *hsmProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return &keyResource{} },
		func() resource.Resource { return &keyRotationResource{} },
		func() resource.Resource { return &accessPolicyResource{} },
		func() resource.Resource { return &apiCredentialResource{} },
		func() resource.Resource { return &certificateRequestResource{} },
	}
}

func (p *hsmProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		func() datasource.DataSource { return &tokenDataSource{} },
		func() datasource.DataSource { return &keyDataSource{} },
		func() datasource.DataSource { return &keysDataSource{} },
		func() datasource.DataSource { return &accessDataSource{} },
		func() datasource.DataSource { return &accessReportDataSource{} },
		func() datasource.DataSource { return &auditDataSource{} },
	}
}

// ListResources makes this a provider.ProviderWithListResources.
func (p *hsmProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{
		func() list.ListResource { return &keyListResource{} },
	}
}

// Actions makes this a provider.ProviderWithActions.
func (p *hsmProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{
		func() action.Action { return &rotateKeyAction{} },
		func() action.Action { return &revokeKeyVersionAction{} },
	}
}

// EphemeralResources makes this a provider.ProviderWithEphemeralResources.
func (p *hsmProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		func() ephemeral.EphemeralResource { return &apiCredentialSecret{} },
		func() ephemeral.EphemeralResource { return &jwtEphemeral{} },
		func() ephemeral.EphemeralResource { return &signatureEphemeral{} },
		func() ephemeral.EphemeralResource { return &randomBytes{} },
	}
}

// Functions makes this a provider.ProviderWithFunctions. They need no token.
func (p *hsmProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{
		newPKCS11URI, newParsePKCS11URI, newJWKThumbprint, newSSHPublicKey, newEthereumAddress, newBitcoinAddress, newSolanaAddress,
	}
}

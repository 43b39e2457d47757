package provider

import (
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/config"
)

// auditBlock is the provider's block audit.
func auditBlock() schema.Block {
	some := []validator.String{notEmpty{}}
	return schema.SingleNestedBlock{
		MarkdownDescription: "The audit log: every change, every refusal and every failed login of this environment, in a Merkle tree whose head is signed by a key in the HSM. " +
			"See the [guide](guides/audit.md). With a log nothing is changed on the token that is not written down first; without, each record on the token " +
			"still holds its own history. Default: there is no log.",
		Attributes: map[string]schema.Attribute{
			"directory": schema.StringAttribute{
				Optional: true, Validators: some,
				MarkdownDescription: "Directory of the log; it is made if it is not there. All runs of an environment have to use the same one. " +
					"Environment variable: `HSM_AUDIT_DIRECTORY`. Required, here or there.",
			},
		},
		Blocks: map[string]schema.Block{"mirror": schema.ListNestedBlock{
			MarkdownDescription: "A place that the log's records are handed on to, from the first one on. Nothing waits for it: what it does not take now the next run delivers, " +
				"and that it cannot be reached is a warning. Default: no mirror.",
			NestedObject: schema.NestedBlockObject{Attributes: map[string]schema.Attribute{
				"syslog": schema.StringAttribute{
					Optional: true, Validators: some,
					MarkdownDescription: "A syslog receiver (RFC 5424) as a URL: `unix:///dev/log`, `udp://host:514`, `tcp://host:601` (RFC 6587, octet counting) or `tls://host:6514` (RFC 5425). Required, unless there is a `file`.",
				},
				"file": schema.StringAttribute{
					Optional: true, Validators: some,
					MarkdownDescription: "Instead of `syslog`, a file that lines are appended to for a log shipper to follow; the shipper, or logrotate, may rename it. Required, unless there is a `syslog`.",
				},
				"ca_file": schema.StringAttribute{
					Optional: true, Validators: some,
					MarkdownDescription: "For `tls://`, a file with the PEM certificates that sign the receiver's. Default: those that the system trusts.",
				},
			}},
		}},
	}
}

// auditModel is the block audit.
type auditModel struct {
	Directory types.String  `tfsdk:"directory"`
	Mirrors   []mirrorModel `tfsdk:"mirror"`
}

type mirrorModel struct {
	Syslog types.String `tfsdk:"syslog"`
	File   types.String `tfsdk:"file"`
	CAFile types.String `tfsdk:"ca_file"`
}

// first is an argument of the block that is not known yet, or else the directory.
func (m *auditModel) first() types.String {
	if m == nil {
		return types.StringNull()
	}
	for _, each := range m.Mirrors {
		for _, value := range []types.String{each.Syslog, each.File, each.CAFile} {
			if value.IsUnknown() {
				return value
			}
		}
	}
	return m.Directory
}

// input is empty without a block.
func (m *auditModel) input() config.AuditInput {
	if m == nil {
		return config.AuditInput{}
	}
	in := config.AuditInput{Directory: m.Directory.ValueString()}
	for _, each := range m.Mirrors {
		in.Mirrors = append(in.Mirrors, config.MirrorInput{Syslog: each.Syslog.ValueString(), File: each.File.ValueString(), CAFile: each.CAFile.ValueString()})
	}
	return in
}

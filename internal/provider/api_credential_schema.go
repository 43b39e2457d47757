package provider

import (
	"context"
	"regexp"

	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/keystead/terraform-provider-hsm/internal/credential"
	"github.com/keystead/terraform-provider-hsm/internal/keyring"
)

var (
	credentialTypes  = []string{string(credential.PublicKey), string(credential.SharedSecret)}
	secretAlgorithms = []string{string(credential.HMACSHA256), string(credential.HMACSHA512)}
)

func (r *apiCredentialResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A credential of somebody who calls an API: who it belongs to, what it proves itself with, and until when. What the caller may do " +
			"is said by `hsm_access_policy`.\n\n" +
			"With `type = \"public_key\"`, which is recommended, the caller keeps its private key and only the public key is here. With `type = \"shared_secret\"` both " +
			"sides know a secret. It is derived in the HSM whenever it is needed, by a key that never leaves it, and is stored nowhere: neither on the token nor in " +
			"state, plan or logs. It leaves the HSM sealed, as `sealed_secret`, or through the ephemeral resource `hsm_api_credential_secret`.\n\n" +
			"A credential has numbered versions. A rotation is an update in place: it makes a new version, and the one before stays accepted for the `overlap`. " +
			"Something has to run `terraform apply` for a rotation to take place; a late run does no harm.\n\n" +
			"Removing the resource revokes every version at once and for good. A record of the name and its version numbers stays on the token: if the name is used again, " +
			"numbers go on from there.",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true, Validators: []validator.String{nameValidator{"credential"}},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Name of the credential, unique on the token: 1 to 63 letters, digits, dots, underscores and hyphens, starting with a letter or a digit; " +
					"not `any`. A change revokes this credential and issues another one. A policy that names it is changed after that: until then the new one has " +
					"neither what the policy permits nor what it forbids. Forbid by owner or tag what has to be forbidden at every moment.",
			},
			"owner": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The person or the team that answers for the credential. Policies may refer to it (`owner:NAME`), and the data source " +
					"`hsm_access_report` lists what an owner can still use. A change is in place.",
			},
			"tags": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Labels of your own. Policies may refer to them (`tag:KEY=VALUE`). Default: none. A change is in place.",
			},
			"enabled": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(true),
				MarkdownDescription: "Default: `true`. `false` suspends every version: none is accepted until it is `true` again. A change is in place.",
			},
			"type": schema.StringAttribute{
				Required: true, Validators: []validator.String{stringvalidator.OneOf(credentialTypes...)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "What the caller proves itself with: `public_key` (a signature with a private key that only the caller has; recommended) or " +
					"`shared_secret` (an HMAC with a secret that both sides know). A change revokes this credential and issues another one of the same name; so it cannot be changed where `create_before_destroy` " +
					"is set, on this resource or on one that depends on it: the name is still taken when the other one is to be issued.",
			},
			"public_key": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "The caller's public key, for `type = \"public_key\"`, which requires it: PEM (SubjectPublicKeyInfo) or OpenSSH's format, of Ed25519, ECDSA on P-256 or, in PEM, " +
					"ECDSA on secp256k1. Another key is a new version, in place, and the one before stays accepted for the `overlap`; the same key in another format or with " +
					"another comment changes nothing. A private key that is given by mistake is refused and shown nowhere.",
			},
			"algorithm": schema.StringAttribute{
				Optional: true, Validators: []validator.String{stringvalidator.OneOf(secretAlgorithms...)},
				MarkdownDescription: "How requests are signed, for `type = \"shared_secret\"`, which requires it: " + quoted(secretAlgorithms) + ", with secrets of 32 and 64 bytes. " +
					"A change is a new version, in place.",
			},
			"recipients": schema.SetAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Whom a shared secret is sealed to: age recipients (`age1…`, or `age1pq1…` for post-quantum ones), or SSH public keys (`ssh-ed25519`, `ssh-rsa`). " +
					"Post-quantum recipients cannot be mixed with others. A change is in place and seals the newest secret anew, without a new version: whoever could open " +
					"it before still knows it. Default: the secret is not sealed to anybody.",
			},
			"expires_at": schema.StringAttribute{
				Optional: true, Validators: []validator.String{momentValidator{}},
				MarkdownDescription: "When the credential ends, with all its versions, as a time in RFC 3339, for example `2027-03-31T18:00:00Z`. It must be in the future when it is given. " +
					"Default: never. Conflicts with `valid_for`. A change is in place.",
			},
			"valid_for": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{}},
				MarkdownDescription: "How long after its issue each version ends." + duration + " Default: for ever. Conflicts with `expires_at`. A plan after that makes a new version of a " +
					"shared secret, as `rotate_every` does before. A change is in place and holds for versions that exist, too.",
			},
			"rotate_every": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{}},
				MarkdownDescription: "How long after its issue a version is to be replaced." + duration + " A plan after that makes a new version of a shared secret; for a public key, " +
					"which only the caller can replace, it is a reminder: the plan warns. Periods that were missed are not made up for. Default: never by time. A change is in place.",
			},
			"rotate_when_changed": schema.MapAttribute{
				Optional: true, ElementType: types.StringType, Validators: []validator.Map{noNulls{}},
				MarkdownDescription: "Any values; a change of them makes a new version of a shared secret, in the same apply. Adding the argument to a credential that had none, " +
					"and removing it, rotates nothing. Default: none.",
			},
			"overlap": schema.StringAttribute{
				Optional: true, Validators: []validator.String{durationValidator{orZero: true}},
				MarkdownDescription: "How long a replaced version stays accepted beside its successor." + duration + " Default: `0s`, not at all. Must not be longer than the credential is valid. " +
					"A change is in place and holds for versions that are replaced from then on.",
			},
			"revoke": schema.MapAttribute{
				Optional: true, ElementType: types.StringType,
				Validators: []validator.Map{
					noNulls{},
					mapvalidator.KeysAre(stringvalidator.RegexMatches(regexp.MustCompile(`^[1-9][0-9]{0,8}$`), "the key must be the number of a version, for example \"3\"")),
					mapvalidator.ValueStringsAre(stringvalidator.OneOf(keyring.ReasonNames()...)),
				},
				MarkdownDescription: "Versions to end at once and for good, without overlap: version number to reason (" + quoted(keyring.ReasonNames()) + "; RFC 5280 section 5.3.1). " +
					"Revoking the newest version of a shared secret makes a new one in the same apply; with a public key the caller is locked out until there is another `public_key`. " +
					"Default: none. A change is in place. Taking an entry away undoes nothing.",
			},

			"id":      schema.StringAttribute{Computed: true, MarkdownDescription: "The credential's name. Known at plan, so that the plan of a policy that refers to it shows the access that it gives."},
			"version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the newest version."},
			"key_id": schema.StringAttribute{
				Computed: true, MarkdownDescription: "What the caller puts into its requests to say which credential and version it signs with: environment, name and version, " +
					"`ENVIRONMENT~NAME~VERSION`, which is safe in URLs and headers as it is. That of the newest version.",
			},
			"fingerprint_sha256": schema.StringAttribute{
				Computed: true, MarkdownDescription: "Hexadecimal SHA-256 of the newest version's SubjectPublicKeyInfo, or of its secret, to compare by.",
			},
			"sealed_secret": schema.StringAttribute{
				Computed: true, MarkdownDescription: "The newest version's secret for the `recipients`: an age file in its text form, which `age -d` opens. In it is the secret as base64 " +
					"(RFC 4648 section 4), without a line break. It is ciphertext, and no secret. Made once for each version and when the recipients change. Null without recipients.",
			},
			"rotate_at": schema.StringAttribute{
				Computed: true, MarkdownDescription: "From when on a new version is called for (RFC 3339, UTC). Null without `rotate_every`.",
			},
			"rotation_due": schema.BoolAttribute{
				Computed: true, MarkdownDescription: "Whether a new version was called for at the last refresh. The plan after it makes one of a shared secret, and warns of a public key.",
			},
			"versions": credentialVersionsAttribute(),
		},
	}
}
